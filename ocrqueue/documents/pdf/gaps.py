"""Finds where a space between two words is missing in the text of a PDF: it is only a gap between two letters.

MuPDF puts a space in most gaps of 0.15 times the font size. It misses some after letters that are made of two
characters, and all gaps of tightly set type, in which a line becomes one long word.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise
from operator import sub
from statistics import median

from ocrqueue.documents.pdf.characters import FIRST_LEFTWARDS, is_unspaced
from ocrqueue.geometry import Rect

# Gaps are in font sizes, more than the usual gap of the line, so that widely set letters are no words. The limits were
# chosen on every second born-digital PDF of the corpus, with its spaces taken away, and checked on the others.
_WORDS = 0.12  # a gap that separates two words
_TIGHT = 0.06  # the same inside of what would be a very long word
_LONG = 20  # characters of a very long word
_SURELY = 0.999  # times a limit: what is below it is below the limit, whatever the rounding
_WORD = re.compile(r"\S+")
_CLOSERS = frozenset(')]},.;:!?%”’"»')  # may end a word
_OPENERS = frozenset('([{“‘«"')  # may begin one


@dataclass(slots=True)
class Letters:
    """The characters of a line: their text, and their boxes in coordinates of the line, in points."""

    text: str = ""
    sizes: list[float] = field(default_factory=list)  # of the fonts, one for each character, in points
    lefts: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)
    rights: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)

    @property
    def may_run_leftwards(self) -> bool:
        """Whether the line may have letters of a script that is written to the left."""
        return not self.text.isascii() and max(self.text) >= FIRST_LEFTWARDS

    def add(
        self, text: str, size: float, lefts: list[float], tops: list[float], rights: list[float], bottoms: list[float]
    ) -> None:
        """Add characters of one font size, and the sides of their boxes."""
        self.text += text
        self.sizes += [size] * len(text)
        self.lefts += lefts
        self.tops += tops
        self.rights += rights
        self.bottoms += bottoms

    def put_last(self, count: int) -> None:
        """Move the first `count` characters to the end."""
        self.text = self.text[count:] + self.text[:count]
        for values in (self.sizes, self.lefts, self.tops, self.rights, self.bottoms):
            values[:] = values[count:] + values[:count]

    def box(self, start: int, end: int) -> Rect:
        """The box around the characters from index `start` up to `end`."""
        left, right = min(self.lefts[start:end]), max(self.rights[start:end])
        return left, min(self.tops[start:end]), right, max(self.bottoms[start:end])

    def is_tight(self, least: float) -> bool:
        """Whether surely no gap between two neighbours is wider than `least` font sizes."""
        if self.may_run_leftwards:
            return False
        widest: float = max(map(sub, self.lefts[1:], self.rights), default=0.0)
        return widest <= _SURELY * least * max(1.0, min(self.sizes, default=0.0))

    def gaps(self) -> dict[int, float]:
        """By the index of each character that follows another one: the gap before it, in font sizes. Not at spaces.

        A letter of Arabic or Hebrew is at the left of the one before it.
        """
        found: dict[int, float] = {}
        pairs = pairwise(zip(self.text, self.lefts, self.rights, self.sizes, strict=True))
        for index, ((before, before_left, before_right, before_size), (char, left, right, size)) in enumerate(pairs, 1):
            if before.isspace() or char.isspace():
                continue
            gap = left - before_right
            if max(before, char) >= FIRST_LEFTWARDS:
                gap = max(gap, before_left - right)
            found[index] = gap / max(before_size, size, 1.0)
        return found


def missing_spaces(line: Letters) -> list[int]:
    """The indexes of the characters of a line before which a space is missing, in order."""
    if line.is_tight(_TIGHT):
        return []
    gaps = line.gaps()
    if max(gaps.values(), default=0.0) <= _TIGHT:
        return []
    text = line.text
    usual = max(0.0, median(gaps.values()))
    wide = {index for index, gap in gaps.items() if gap - usual > _TIGHT and _may_part(text[index - 1], text[index])}
    found = {index for index in wide if gaps[index] - usual > _WORDS}
    for word in _WORD.finditer(text):
        inside = wide.intersection(range(*word.span()))
        if word.end() - word.start() >= _LONG and len(inside) > 1:
            found |= inside
    return sorted(found)


def _may_part(before: str, after: str) -> bool:
    """Whether one character may end a word and the other begin one, in a script that puts spaces between words."""
    ends = before.isalnum() or before in _CLOSERS
    begins = after.isalnum() or after in _OPENERS
    return ends and begins and not (is_unspaced(before) or is_unspaced(after))
