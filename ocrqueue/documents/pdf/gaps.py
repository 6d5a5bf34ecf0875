"""Finds where a space between two words is missing in the text of a PDF: it is only a gap between two letters.

MuPDF puts a space in most gaps of 0.15 times the font size. It misses some after letters that are made of two
characters, and all gaps of tightly set type, in which a line becomes one long word.
"""

import math
import re
from statistics import median

import numpy as np

from ocrqueue.documents.pdf.boxes import Array
from ocrqueue.documents.pdf.characters import FIRST_LEFTWARDS, is_unspaced, may_run_leftwards

# Gaps are in font sizes, more than the usual gap of the line, so that widely set letters are no words. The limits were
# chosen on every second born-digital PDF of the corpus, with its spaces taken away, and checked on the others.
_WORDS = 0.12  # a gap that separates two words
TIGHT = 0.06  # the same inside of what would be a very long word; a line without such a gap lacks no space
_LONG = 20  # characters of a very long word
NO_GAP = -math.inf
_WORD = re.compile(r"\S+")
_CLOSERS = frozenset(')]},.;:!?%”’"»')  # may end a word
_IS_SPACE = np.array([chr(code).isspace() for code in range(0x3002)])  # by code; the last space is U+3000
_OPENERS = frozenset('([{“‘«"')  # may begin one


def gaps_of(text: str, sizes: Array, sides: Array) -> Array:
    """The gap before each character of a text, in font sizes; `NO_GAP` before the first one, and at spaces.

    `sizes` are those of the fonts, in points. `sides` are left, top, right and bottom of each character in coordinates
    of its line. A letter of Arabic or Hebrew is at the left of the one before it.
    """
    if not text:
        return np.empty(0)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    lefts, rights = sides[:, 0], sides[:, 2]
    gaps = lefts[1:] - rights[:-1]
    if may_run_leftwards(text):
        leftwards = np.maximum(codes[1:], codes[:-1]) >= ord(FIRST_LEFTWARDS)
        gaps = np.where(leftwards, np.maximum(gaps, lefts[:-1] - rights[1:]), gaps)
    gaps = gaps / np.maximum(np.maximum(sizes[1:], sizes[:-1]), 1.0)
    is_space = _IS_SPACE[np.minimum(codes, len(_IS_SPACE) - 1)]
    gaps[is_space[1:] | is_space[:-1]] = NO_GAP
    return np.concatenate([[NO_GAP], gaps])


def missing_spaces(text: str, gaps: Array) -> list[int]:
    """The indexes of the characters of a line before which a space is missing, in order. See `gaps_of`."""
    known = [gap for gap in gaps.tolist() if gap != NO_GAP]
    usual = max(0.0, median(known)) if known else 0.0
    more = gaps - usual
    wide = {index for index in (more > TIGHT).nonzero()[0].tolist() if _may_part(text[index - 1], text[index])}
    found = {index for index in wide if more[index] > _WORDS}
    if len(found) < len(wide):  # else no word can have more of them
        for word in _WORD.finditer(text):
            if word.end() - word.start() >= _LONG:
                inside = wide.intersection(range(*word.span()))
                if len(inside) > 1:
                    found |= inside
    return sorted(found)


def _may_part(before: str, after: str) -> bool:
    """Whether one character may end a word and the other begin one, in a script that puts spaces between words."""
    ends = before.isalnum() or before in _CLOSERS
    begins = after.isalnum() or after in _OPENERS
    return ends and begins and not (is_unspaced(before) or is_unspaced(after))
