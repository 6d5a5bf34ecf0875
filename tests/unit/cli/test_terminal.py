"""Text that is printed on a terminal."""

from ocrqueue.cli.terminal import for_terminal


def test_control_characters_are_removed() -> None:
    assert for_terminal("a\x1b]0;title\x07b\x1b[2J\r\x9b31m\u202ec\x00\x7f\ud800") == "a]0;titleb[2J31mc\ufffd"
    assert for_terminal("one\tt\n\ftwo\n") == "one\tt\n\ntwo\n"
    assert for_terminal("\u00fc \u65e5\u672c \U0001f600") == "\u00fc \u65e5\u672c \U0001f600"
