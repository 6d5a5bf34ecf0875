"""Finds where a space between two words is missing in the text of a PDF: it is only a gap between two letters.

MuPDF puts a space in most gaps of 0.15 times the font size. It misses some after letters that are made of two
characters, and all gaps of tightly set type, in which a line becomes one long word.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from statistics import median
from typing import NamedTuple

from ocrqueue.documents.pdf.characters import FIRST_LEFTWARDS, is_unspaced

# Gaps are in font sizes, more than the usual gap of the line, so that widely set letters are no words. The limits were
# chosen on every second born-digital PDF of the corpus, with its spaces taken away, and checked on the others.
_WORDS = 0.12  # a gap that separates two words
_TIGHT = 0.06  # the same inside of what would be a very long word
_LONG = 20  # characters of a very long word
_CLOSERS = frozenset(')]},.;:!?%”’"»')  # may end a word
_OPENERS = frozenset('([{“‘«"')  # may begin one


class Letter(NamedTuple):
    """A character of a line."""

    text: str
    left: float  # along the line, in points
    right: float
    size: float  # of its font, in points


def missing_spaces(line: Sequence[Letter]) -> set[int]:
    """The indexes of the letters of a line before which a space is missing."""
    gaps = {index: gap for index, gap in _gaps(line) if gap is not None}
    if max(gaps.values(), default=0.0) <= _TIGHT:
        return set()
    usual = max(0.0, median(gaps.values()))
    wide = {index for index, gap in gaps.items() if gap - usual > _TIGHT and _may_part(line[index - 1], line[index])}
    found = {index for index in wide if gaps[index] - usual > _WORDS}
    for is_space, run in groupby(range(len(line)), key=lambda index: line[index].text.isspace()):
        indexes = list(run)
        inside = wide.intersection(indexes)
        if not is_space and len(indexes) >= _LONG and len(inside) > 1:
            found |= inside
    return found


def _gaps(line: Sequence[Letter]) -> Iterator[tuple[int, float | None]]:
    """For each letter after another one: the gap between them, in font sizes. None for white space.

    A letter of Arabic or Hebrew is at the left of the one before it.
    """
    for index, (before, letter) in enumerate(pairwise(line), 1):
        is_gap = not (before.text.isspace() or letter.text.isspace())
        gap = letter.left - before.right
        if max(before.text, letter.text) >= FIRST_LEFTWARDS:
            gap = max(gap, before.left - letter.right)
        yield index, gap / max(before.size, letter.size, 1.0) if is_gap else None


def _may_part(before: Letter, letter: Letter) -> bool:
    """Whether one letter may end a word and the other begin one, in a script that puts spaces between words."""
    ends = before.text.isalnum() or before.text in _CLOSERS
    begins = letter.text.isalnum() or letter.text in _OPENERS
    return ends and begins and not (is_unspaced(before.text) or is_unspaced(letter.text))
