import pytest

from ocrqueue.web.intake.json_text import parsed


def test_a_value_is_parsed():
    assert parsed(b'{"a": [1, 2.5, null, "\\u00e4", "\\ud83d\\ude00"]}') == {"a": [1, 2.5, None, "ä", "😀"]}


@pytest.mark.parametrize(
    "text",
    ["", "{", b"\xff", "[" * 200_000, "NaN", "[1, 1e999]", '"\\ud800"', '{"\\udfff": 1}', "9" * 5000],
)
def test_what_cannot_be_used_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parsed(text)
