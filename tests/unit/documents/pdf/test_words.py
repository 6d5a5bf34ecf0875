"""The words of a line, whose boxes are made when they are needed."""

import numpy as np

from ocrqueue.documents.pdf.words import PlacedWords
from ocrqueue.pages import Line, Word

CORNERS = np.array([[0, 0, 10, 0, 10, 5, 0, 5], [12, 0, 20, 0, 20, 5, 12, 5]], float)
QUADS = [
    ((0.0, 0.0), (20.0, 0.0), (20.0, 10.0), (0.0, 10.0)),
    ((24.0, 0.0), (40.0, 0.0), (40.0, 10.0), (24.0, 10.0)),
]


def words(texts=("big", "boat"), corners=CORNERS):
    return PlacedWords(texts, corners, 2.0)


def test_words_of_a_line_behave_as_a_tuple():
    expected = (Word("big", QUADS[0]), Word("boat", QUADS[1]))
    assert tuple(words()) == expected == words()[:]
    assert words() == expected
    assert hash(words()) == hash(expected)
    assert repr(words()) == repr(expected)
    assert words()[-1] == expected[1]
    assert (len(words()), expected[0] in words()) == (2, True)
    assert Line("big boat", QUADS[0], words=words()).offsets() == [(expected[0], 0), (expected[1], 4)]


def test_other_words_are_not_equal():
    assert words() == words()
    assert words() != words(("big", "ship"))
    assert words() != words(corners=CORNERS + 1)


def test_a_line_may_have_no_words():
    assert not words((), np.empty((0, 8)))
