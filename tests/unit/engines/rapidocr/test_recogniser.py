"""The recogniser in two parts reads as the whole network does, and scores few columns for all characters."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrqueue.engines.rapidocr.recogniser import Head as LastLayer
from ocrqueue.engines.rapidocr.recogniser import Split, is_common

CHARACTERS = ["", *"abcdefgh12+", "中", "文", "μ", " "]
CERTAIN = 40.0  # score of a character that is certain
BLANK = 20.0  # score of no character where it is certain, but might be beaten by a rare one


class Body:
    """A body whose features are what it is called with."""

    precision = "f32"
    released = 0

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return batch

    def release(self) -> None:
        self.released += 1


class Head(Body):
    """A head whose scores are the features, and that notes how many columns it was given."""

    def __init__(self) -> None:
        self.columns: list[int] = []

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.columns.append(batch.shape[1])
        powers = np.exp(batch - batch.max(axis=2, keepdims=True))
        return powers / powers.sum(axis=2, keepdims=True)


def split() -> tuple[Split, Head]:
    """A recogniser whose features are the scores."""
    head, size = Head(), len(CHARACTERS)
    return Split(Body(), head, (np.eye(size, dtype=np.float32), np.zeros(size, np.float32)), CHARACTERS), head


def scores(text: str, blank: float = BLANK, **other: float) -> NDArray[np.float32]:
    """Columns with these characters; a blank is "_". `other` gives a character a score in the first column."""
    line = np.zeros((1, len(text), len(CHARACTERS)), np.float32)
    for column, character in enumerate(text):
        line[0, column, CHARACTERS.index(character.strip("_"))] = blank if character == "_" else CERTAIN
    for character, score in other.items():
        line[0, 0, CHARACTERS.index(character)] = score
    return line


def read(recogniser: Split, line: NDArray[np.float32]) -> str:
    ((classes, confidences),) = recogniser([line])
    assert confidences.dtype == np.float32
    assert ((confidences > 0) & (confidences <= 1)).all()
    return "".join(CHARACTERS[i] or "_" for i in classes)


def test_certain_columns_are_not_scored_for_all_characters() -> None:
    recogniser, head = split()
    assert read(recogniser, scores("_ab_c12_" * 4)) == "_ab_c12_" * 4
    assert head.columns == []


def test_only_doubtful_columns_are_scored_for_all_characters() -> None:
    recogniser, head = split()
    assert read(recogniser, scores("ab_c" * 20, a=17.5, b=16.5)) == "ab_c" * 20
    assert head.columns == [16]


def test_a_column_with_a_very_high_score_is_certain_though_another_common_character_is_close() -> None:
    recogniser, head = split()
    ((classes, confidences),) = recogniser([scores("ab_c" * 20, a=18.5, b=17.5)])
    assert CHARACTERS[classes[0]] == "a"
    assert confidences[0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert head.columns == []


def test_doubtful_columns_of_several_lines_are_scored_together() -> None:
    recogniser, head = split()
    lines = [scores("ab_c" * 20, a=17.5, b=16.5), scores("_" * 40), scores("中" + "ab_c" * 10), scores("12")]
    found = ["".join(CHARACTERS[i] or "_" for i in classes) for classes, _ in recogniser(lines)]
    assert found == ["ab_c" * 20, "_" * 40, "中" + "ab_c" * 10, "12"]
    assert head.columns == [16, 48]  # one, one, two; then the other columns of the line with a rare character
    assert recogniser([]) == []


def test_a_column_that_no_common_character_explains_is_scored_for_all() -> None:
    recogniser, head = split()
    line = scores("_" * 30)
    line[0, 2] = 0  # no score is high, but one common character is far ahead of the others
    line[0, 2, CHARACTERS.index("a")] = 12
    line[0, 2, CHARACTERS.index("μ")] = 13
    assert read(recogniser, line) == "__μ" + "_" * 27
    assert head.columns == [16, 32]


def test_a_short_line_is_scored_for_all_characters() -> None:
    recogniser, head = split()
    assert read(recogniser, scores("1_+_2")) == "1_+_2"
    assert head.columns == [16]


def test_a_line_with_a_rare_character_is_scored_for_all_characters_in_every_column() -> None:
    recogniser, head = split()
    text = "中" + "ab_c" * 40
    line = scores(text)
    line[0, 5, CHARACTERS.index("文")] = CERTAIN + 1  # a column that seems certain
    expected = text[:5] + "文" + text[6:]
    assert read(recogniser, line) == expected
    assert head.columns == [16, 64, 64, 32]  # at most 64 columns at once


def test_a_very_high_score_for_no_character_is_certain_in_every_line() -> None:
    recogniser, head = split()
    lines = [scores("中_" * 40, blank=25), scores("1_+_2", blank=25)]
    assert [read(recogniser, line) for line in lines] == ["中_" * 40, "1_+_2"]
    assert head.columns == [48, 16]  # 40 and 3 columns


def test_confidences_of_doubtful_columns_are_among_all_characters() -> None:
    recogniser, _ = split()
    line = scores("ab")
    line[0, 0, CHARACTERS.index("b")] = line[0, 0, CHARACTERS.index("文")] = CERTAIN
    ((classes, confidences),) = recogniser([line])
    assert confidences[0] == pytest.approx(1 / 3)
    assert confidences[1] == pytest.approx(1)
    assert classes.tolist() == [1, 2]


def test_both_parts_are_released() -> None:
    recogniser, head = split()
    recogniser.release()
    assert head.released == 1


def test_common_characters_are_latin_letters_digits_and_signs() -> None:
    assert all(map(is_common, ["", " ", *"azAZ09.,;-–—“”„’…€éßøłşțŽœ§©½°"]))
    assert not any(map(is_common, [*"中あ한αμжא，。：（）∑≤∫→□", "µ", "ffi"]))


class Backwards(Body):
    precision = "exact"

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return batch[:, ::-1]


def test_with_another_body_a_line_is_read_by_it() -> None:
    quick, head = split()
    exact = quick.with_body(Backwards())
    assert (exact.precision, quick.precision) == ("exact", "f32")
    assert read(exact, scores("ab")) == "ba"
    assert read(quick, scores("ab")) == "ab"
    assert len(head.columns) == 2


def test_the_last_layer_gives_the_probabilities_of_all_characters() -> None:
    factors, offsets = np.array([[1, 0, 2], [0, 1, 0]], np.float32), np.array([0, 100, 0], np.float32)
    found = LastLayer((factors, offsets))(np.array([[[1, 1], [0, -100]]], np.float32))
    assert found.dtype == np.float32
    assert found.shape == (1, 2, 3)
    assert found[0, 0] == pytest.approx([0, 1, 0])
    assert found[0, 1] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
