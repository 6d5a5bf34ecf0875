"""The lines of a stored page as formats place them: which way each runs, and where its words stand.

Only lines are stored, so words share a line's box out by the usual widths of their characters.
"""

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ocrqueue.geometry import Point, Quad, Rect
from ocrqueue.storage.results import clean_text

_UPRIGHT_RATIO = 1.5  # a box this much higher than wide holds text that runs downwards, as engines take it too
_STRIP = 0.8  # the part of its strip that a line without a place fills
_WIDTHS = {"iljI|!.,:;'`‘’· ": 0.28, 'frt()[]{}-/\\"*“”°': 0.36, "wABCDEGHKNOQRUVXYZ&": 0.7, "mMW%@—…": 0.88}
_WIDTH_OF = {char: width for chars, width in _WIDTHS.items() for char in chars}
_TURNED = math.radians(2)  # less is how the detector draws a level line


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word and the part of its line's box that it fills."""

    text: str
    box: Quad


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line of text on a page image."""

    text: str
    box: Quad  # corners in pixels, clockwise from the beginning of the text at its top
    confidence: float | None  # 0 to 1; None where the engine gave none
    origin: str  # "ocr" or "text_layer"
    is_known: bool = True  # False: the engine gave text and no places; the box is a strip of the page

    @property
    def angle(self) -> float:
        """Radians clockwise from level."""
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = self.box
        return math.atan2(y1 - y0 + y2 - y3, x1 - x0 + x2 - x3)

    @property
    def is_turned(self) -> bool:
        """Whether an upright rectangle would not do for it."""
        return abs(self.angle) > _TURNED

    @property
    def height(self) -> float:
        """From the top to the bottom of its characters, in pixels."""
        return (math.dist(self.box[0], self.box[3]) + math.dist(self.box[1], self.box[2])) / 2

    def words(self) -> Iterator[PlacedWord]:
        """Its words as they are read; a line without blanks is one word."""
        ends = [0.0, *itertools.accumulate(width(char) for char in self.text)]
        total = ends[-1] or 1.0
        leftwards = is_right_to_left(self.text)
        for match in re.finditer(r"\S+", self.text):
            start, end = ends[match.start()] / total, ends[match.end()] / total
            yield PlacedWord(match[0], self._part(1 - end, 1 - start) if leftwards else self._part(start, end))

    def _part(self, start: float, end: float) -> Quad:
        top_left, top_right, bottom_right, bottom_left = self.box
        return (
            _between(top_left, top_right, start),
            _between(top_left, top_right, end),
            _between(bottom_left, bottom_right, end),
            _between(bottom_left, bottom_right, start),
        )


def lines_of(page: Mapping[str, Any]) -> list[PlacedLine]:
    """The lines of a page's result that have text; where the engine gave no places, strips of the page, one a line."""
    if not page["lines"]:
        return _strips(page)
    found = []
    for line in page["lines"]:
        text = " ".join(clean_text(line["text"]).split())
        if text:
            box = _oriented([(float(x), float(y)) for x, y in line["box"]], text)
            found.append(PlacedLine(text, box, line["confidence"], line["origin"]))
    return found


def bounds(box: Quad) -> Rect:
    """The smallest upright rectangle round a box: left, top, right, bottom."""
    xs, ys = [x for x, _ in box], [y for _, y in box]
    return min(xs), min(ys), max(xs), max(ys)


@cache
def width(char: str) -> float:
    """What a character usually takes of a line, in parts of its height."""
    if char in _WIDTH_OF:
        return _WIDTH_OF[char]
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.0
    return 0.65 if char.isupper() else 0.53


def is_right_to_left(text: str) -> bool:
    """Whether a text begins with a letter of a script that runs to the left, such as Arabic or Hebrew."""
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"


def _oriented(box: list[Point], text: str) -> Quad:
    top_left, top_right, bottom_right, bottom_left = box
    across = math.dist(top_left, top_right) + math.dist(bottom_left, bottom_right)
    down = math.dist(top_left, bottom_left) + math.dist(top_right, bottom_right)
    if len(text) > 1 and down >= _UPRIGHT_RATIO * across:
        return top_right, bottom_right, bottom_left, top_left
    return top_left, top_right, bottom_right, bottom_left


def _strips(page: Mapping[str, Any]) -> list[PlacedLine]:
    texts = [" ".join(line.split()) for line in clean_text(page["text"]).split("\n") if line.strip()]
    if not (texts and page["width"] and page["height"]):
        return []
    wide, step = float(page["width"]), page["height"] / len(texts)
    found = []
    for index, text in enumerate(texts):
        top, bottom = index * step, (index + _STRIP) * step
        box = (0.0, top), (wide, top), (wide, bottom), (0.0, bottom)
        found.append(PlacedLine(text, box, page["confidence"], page["origin"] or "ocr", is_known=False))
    return found


def _between(start: Point, end: Point, part: float) -> Point:
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
