"""Words of a line and their boxes, from the positions of the characters."""

from dataclasses import replace

import pytest

from ocrqueue.engines.rapidocr.words import LineReading, words_of
from ocrqueue.pages import Word

FLAT = ((0.0, 0.0), (100.0, 0.0), (100.0, 10.0), (0.0, 10.0))


def texts(line: LineReading) -> list[str]:
    return [word.text for word in words_of(line, FLAT)]


def reading(text: str) -> LineReading:
    """A line with evenly spaced characters, two per line height."""
    places = [(i + 0.5) / len(text) for i in range(len(text))]
    return LineReading(text, 1.0, tuple(places), len(text) / 2)


def corners(*points: tuple[float, float]) -> object:
    return pytest.approx([n for point in points for n in point], abs=0.01)


def flat(word: Word) -> list[float]:
    return [n for point in word.box for n in point]


def test_words_are_separated_at_spaces_and_have_boxes() -> None:
    first, second = words_of(reading("ab cde fg  "), FLAT)[:2]
    assert (first.text, second.text) == ("ab", "cde")
    assert flat(first) == corners((0.0, 0.0), (18.18, 0.0), (18.18, 10.0), (0.0, 10.0))
    assert second.box[0][0] == pytest.approx(27.27, abs=0.01)
    assert second.box[1][0] == pytest.approx(54.55, abs=0.01)


def test_a_word_is_as_sure_as_its_least_certain_character() -> None:
    line = replace(reading("ab c"), confidences=(0.9, 0.7, 0.1, 0.5))
    assert [word.confidence for word in words_of(line, FLAT)] == [0.7, 0.5]


def test_a_line_of_one_word_is_filled_by_it() -> None:
    (word,) = words_of(reading("single"), FLAT)
    assert (word.text, word.box) == ("single", FLAT)
    assert words_of(LineReading("", 0.0), FLAT) == ()


def test_each_ideograph_is_a_word_but_latin_letters_form_words() -> None:
    assert texts(reading("春分 PDF版")) == ["春", "分", "PDF", "版"]


def test_a_wide_gap_separates_words_without_a_space() -> None:
    line = LineReading("leftright", 1.0, (0.02, 0.04, 0.06, 0.08, 0.6, 0.62, 0.64, 0.66, 0.68), 20.0)
    assert texts(line) == ["left", "right"]


def test_neighbours_never_overlap() -> None:
    line = LineReading("ab c", 1.0, (0.1, 0.3, 0.35, 0.4), 4.0)
    first, second = words_of(line, FLAT)
    assert first.box[1][0] <= second.box[0][0]


def test_boxes_begin_at_the_top_left_for_every_direction() -> None:
    turned = (FLAT[2], FLAT[3], FLAT[0], FLAT[1])
    first, second = words_of(reading("ab cd"), turned)
    assert first.box[0][0] > second.box[0][0]
    assert first.box[0][0] < first.box[1][0]
    assert first.box[0][1] < first.box[3][1]
