from ocrqueue.process.cancellation import cancellable, is_cancelled


def test_nobody_has_cancelled_where_nobody_can():
    assert not is_cancelled()


def test_it_is_asked_now_and_then_and_stays_cancelled():
    answers = iter([True])
    with cancellable(lambda: next(answers)):
        assert is_cancelled()
        assert is_cancelled()
    assert not is_cancelled()


def test_it_is_not_asked_at_every_token():
    asked = []
    with cancellable(lambda: bool(asked.append(1))):
        for _ in range(1000):
            assert not is_cancelled()
    assert len(asked) < 10
