"""How an engine asks whether its job is cancelled."""

from ocrqueue.process.cancellation import cancellable, is_cancelled


def test_without_a_job_nothing_is_cancelled():
    assert not is_cancelled()


def test_a_cancelled_job_stays_cancelled():
    answers = iter([True])
    with cancellable(lambda: next(answers)):
        assert is_cancelled()
        assert is_cancelled()
    assert not is_cancelled()


def test_redis_is_not_asked_for_every_token():
    asked = []
    with cancellable(lambda: bool(asked.append(1))):
        for _ in range(1000):
            assert not is_cancelled()
    assert len(asked) < 10
