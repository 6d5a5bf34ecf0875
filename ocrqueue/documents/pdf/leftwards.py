"""Lines of scripts that run to the left, such as Arabic and Hebrew: their characters in the order of reading.

MuPDF gives the letters of each word in order, but not always the words: numbers and words in Latin letters run to the
right in such a line, and programs differ in the order in which they print the parts.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from itertools import chain
from typing import Any

from ocrqueue.documents.pdf.boxes import Array
from ocrqueue.documents.pdf.characters import FIRST_LEFTWARDS

_NO_WIDTH = 0.01  # points: a character less wide has no width of its own
# Kinds of characters, by their class in the Unicode Bidirectional Algorithm (UAX #9): letters that run to the left or
# to the right, marks on letters, digits, signs inside of a number. Others are "O".
_KINDS = {"R": "R", "AL": "R", "L": "L", "NSM": "M", "EN": "N", "AN": "N", "ES": "S", "CS": "S"}
# Parts that stay together: text in Latin letters, with what is inside of it; a number; a word that runs to the left.
_NUMBER = re.compile(r"N(?:S?N)*")
_PART = re.compile(rf"L(?:[^R]*[LN])?M*|{_NUMBER.pattern}|R[RM]*|.")


def turn_ligatures(chars: list[dict[str, Any]]) -> None:
    """Put the letters of each Arabic ligature in order: MuPDF turns their order with that of the line.

    Letters without width stand at the right edge of the one that has the width of the ligature.
    """
    start = 0
    for index, char in enumerate(chars):
        left, _, right, _ = char["bbox"]
        if char["c"] >= FIRST_LEFTWARDS and char["c"].isalpha():
            if right - left < _NO_WIDTH:
                continue
            parts = chars[start : index + 1]
            if all(abs(part["bbox"][0] - right) < _NO_WIDTH for part in parts[:-1]):
                for part, text in zip(parts, [part["c"] for part in reversed(parts)], strict=True):
                    part["c"] = text
        start = index + 1


def runs_leftwards(text: str) -> bool:
    """Whether most letters of a text run to the left."""
    kinds = Counter(map(_kind, text))
    return kinds["R"] > kinds["L"]


def reading_order(text: str, sides: Array, is_leftwards: bool) -> list[int]:
    """The indexes of the characters of a line in the order of reading.

    `sides` are left, top, right and bottom of each character in coordinates of the line. A number runs to the right in
    every line; MuPDF may have turned it with the letters around it. The parts of a line are read from right to left
    if most of its letters run to the left, or those of the page do (`is_leftwards`) and one of the line does.
    """
    kinds = "".join(map(_kind, text))
    middles = (sides[:, 0] + sides[:, 2]).tolist()
    order = list(range(len(text)))
    for start, end in (found.span() for found in _NUMBER.finditer(kinds)):
        if middles[start] > middles[end - 1]:
            order[start:end] = order[start:end][::-1]
    count = kinds.count("R")
    if not count or not (is_leftwards or count > kinds.count("L")):
        return order
    parts = [order[found.start() : found.end()] for found in _PART.finditer(kinds)]
    parts.sort(key=lambda part: -(min(middles[i] for i in part) + max(middles[i] for i in part)))
    return list(chain.from_iterable(parts))


@lru_cache(4096)
def _kind(char: str) -> str:
    return _KINDS.get(unicodedata.bidirectional(char), "O")
