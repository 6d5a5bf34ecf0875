"""The lines of a stored page with their direction, angle and words, as hOCR, ALTO and PDF need them.

Results contain lines without words. So a line's box is divided among its words by usual widths of their characters.
"""

import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ocrqueue.geometry import Point, Quad, point_between
from ocrqueue.pages import is_right_to_left
from ocrqueue.states import Origin
from ocrqueue.storage.values import clean_text

DESCENT = 0.2  # share of a line's height below its baseline, as in most fonts
_TALL = 1.5  # heights per width; text in a box at least so tall runs downwards, the rule of the engines too
_STRIP = 0.8  # share of its strip that a line without a place fills
# Widths of characters in line heights, close to those of Helvetica.
_WIDTHS = {"iljI|!.,:;'`‘’· ": 0.28, 'frt()[]{}-/\\"*“”°': 0.36, "wABCDEGHKNOQRUVXYZ&": 0.7, "mMW%@—…": 0.88}
_WORD = re.compile(r"\S+")
_WIDTH_OF = {char: width for chars, width in _WIDTHS.items() for char in chars}
_FULL, _CAPITAL, _OTHER = 1.0, 0.65, 0.53  # of ideographs, other capitals, all others
_TURNED = math.radians(2)  # detectors draw level lines with angles up to this


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word and its part of the line's box."""

    text: str  # without blanks
    box: Quad  # in pixels of the page image; its corners are in the order of those of the line
    confidence: float | None  # 0 to 1; that of the line if its own is not known


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line of text on a page image."""

    text: str  # on one line, without blanks at its ends
    box: Quad  # in pixels of the page image; its first two corners are the top of the line as it is read
    confidence: float | None  # 0 to 1; None: the engine gave none
    origin: str  # a value of `Origin`
    is_known: bool = True  # False: the engine gave no place, and the box is a strip of the page
    sure: tuple[float | None, ...] = ()  # confidence of each word; empty: that of the line

    @property
    def angle(self) -> float:
        """The angle of the line to the horizontal, in radians clockwise."""
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = self.box
        return math.atan2(y1 - y0 + y2 - y3, x1 - x0 + x2 - x3)

    @property
    def is_turned(self) -> bool:
        """Whether the line is so slanted that an upright rectangle does not describe it."""
        return abs(self.angle) > _TURNED

    @property
    def height(self) -> float:
        """The mean length of the two ends of the box, in pixels."""
        return (math.dist(self.box[0], self.box[3]) + math.dist(self.box[1], self.box[2])) / 2

    def words(self) -> Iterator[PlacedWord]:
        """The words in the order in which they are read. A line without blanks is one word."""
        spans = [match.span() for match in _WORD.finditer(self.text)]
        sure = self.sure or itertools.repeat(self.confidence)
        for (start, end), box, confidence in zip(spans, self.boxes(spans), sure, strict=False):
            yield PlacedWord(self.text[start:end], box, confidence)

    def boxes(self, spans: Iterable[tuple[int, int]]) -> Iterator[Quad]:
        """The box of `text[start:end]` for each start and end."""
        ends = [0.0, *itertools.accumulate(width(char) for char in self.text)]
        total = ends[-1] or 1.0
        leftwards = is_right_to_left(self.text)
        for first, last in spans:
            start, end = ends[first] / total, ends[last] / total
            yield self._part(1 - end, 1 - start) if leftwards else self._part(start, end)

    def _part(self, start: float, end: float) -> Quad:
        """The part of the box between two shares of its length."""
        top_left, top_right, bottom_right, bottom_left = self.box
        return (
            point_between(top_left, top_right, start),
            point_between(top_left, top_right, end),
            point_between(bottom_left, bottom_right, end),
            point_between(bottom_left, bottom_right, start),
        )


def lines_of(page: Mapping[str, Any]) -> list[PlacedLine]:
    """The lines of a page of a result that contain text.

    If the engine gave no places, each line of the page's text gets a strip of the page, from the top downwards.
    """
    return [line for _, line in numbered_lines(page)] if page["lines"] else _strips(page)


def numbered_lines(page: Mapping[str, Any]) -> Iterator[tuple[int, PlacedLine]]:
    """The lines with a place that contain text, each with its index on the page."""
    for index, line in enumerate(page["lines"]):
        text = " ".join(clean_text(line["text"]).split())
        if text:
            box = _oriented([(float(x), float(y)) for x, y in line["box"]], text)
            yield index, PlacedLine(text, box, line["confidence"], line["origin"], sure=_sure(line))


def _sure(line: Mapping[str, Any]) -> tuple[float | None, ...]:
    """The confidence of each part of a line's text between blanks; empty if the result has none."""
    words = line.get("words")  # older versions write none
    return tuple(_within(words, *match.span()) for match in _WORD.finditer(line["text"])) if words else ()


def _within(words: list[list[float]], start: int, end: int) -> float | None:
    """The mean confidence of the words in a part of the text, weighted by their lengths there."""
    inside = [(min(end, last) - max(start, first), sure) for first, last, sure in words if first < end and last > start]
    length = sum(weight for weight, _ in inside)
    return sum(weight * sure for weight, sure in inside) / length if length else None


@cache
def width(char: str) -> float:
    """The usual width of a character, in line heights."""
    if char in _WIDTH_OF:
        return _WIDTH_OF[char]
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return _FULL
    return _CAPITAL if char.isupper() else _OTHER


def _oriented(box: list[Point], text: str) -> Quad:
    """The corners in reading order: from the top right one if the text runs downwards."""
    top_left, top_right, bottom_right, bottom_left = box
    across = math.dist(top_left, top_right) + math.dist(bottom_left, bottom_right)
    down = math.dist(top_left, bottom_left) + math.dist(top_right, bottom_right)
    if len(text) > 1 and down >= _TALL * across:
        return top_right, bottom_right, bottom_left, top_left
    return top_left, top_right, bottom_right, bottom_left


def _strips(page: Mapping[str, Any]) -> list[PlacedLine]:
    """The lines of a page's text, each in a strip of the page; none if the page or its text is empty."""
    texts = [" ".join(line.split()) for line in clean_text(page["text"]).split("\n") if line.strip()]
    if not (texts and page["width"] and page["height"]):
        return []
    wide, step = float(page["width"]), page["height"] / len(texts)
    found = []
    for index, text in enumerate(texts):
        top, bottom = index * step, (index + _STRIP) * step
        box = (0.0, top), (wide, top), (wide, bottom), (0.0, bottom)
        found.append(PlacedLine(text, box, page["confidence"], page["origin"] or Origin.OCR, is_known=False))
    return found
