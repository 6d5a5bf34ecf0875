from ocrqueue.web.sessions import change_token, is_change_token


def test_the_token_of_changes_belongs_to_one_session():
    assert is_change_token("a", change_token("a"))
    assert not is_change_token("a", change_token("b"))
    assert not any(is_change_token("a", wrong) for wrong in (None, "", "a", "ä"))
