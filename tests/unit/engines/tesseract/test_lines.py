"""Lines of text from Tesseract's words and boxes."""

from dataclasses import replace

import pytest

from ocrqueue.engines.tesseract.lines import _joined, _leaning
from ocrqueue.pages import Word
from tests.support.pagemaker import box


def words(*parts: tuple[str, float, float]) -> list[Word]:
    """Words of 30 pixels' height, each with its left and right edge."""
    return [Word(text, box(left, 0.0, right, 30.0)) for text, left, right in parts]


def test_korean_syllables_with_a_narrow_gap_are_one_word() -> None:
    line = words(
        ("흔히", 0, 50), ("사", 62, 87), ("용", 91, 116), ("하는", 130, 180), ("OS", 185, 210), ("를", 212, 237)
    )
    line = [replace(word, confidence=0.9 if word.text == "사" else 0.5) for word in line]
    joined = list(_joined(line, 30))
    assert [word.text for word in joined] == ["흔히", "사용", "하는", "OS", "를"]
    assert joined[1].box == box(62, 0.0, 116, 30.0)
    assert joined[1].confidence == pytest.approx(0.7)


def test_a_line_leans_like_its_baseline() -> None:
    level = ((10.0, 20.0), (410.0, 20.0), (410.0, 50.0), (10.0, 50.0))
    assert _leaning((10, 20, 410, 50), ((10, 45), (410, 45))) == level
    assert _leaning((10, 20, 410, 50), None) == level
    falling = ((10.0, 20.0), (410.0, 28.0), (410.0, 50.0), (10.0, 42.0))
    assert _leaning((10, 20, 410, 50), ((10, 38), (210, 42))) == falling
    rising = ((10.0, 28.0), (410.0, 20.0), (410.0, 42.0), (10.0, 50.0))
    assert _leaning((10, 20, 410, 50), ((10, 46), (410, 38))) == rising


def test_a_baseline_that_cannot_be_right_is_ignored() -> None:
    assert _leaning((0, 0, 100, 20), ((0, 0), (100, 19)))[1] == (100.0, 0.0)
    assert _leaning((0, 0, 20, 400), ((0, 0), (0, 400)))[1] == (20.0, 0.0)
