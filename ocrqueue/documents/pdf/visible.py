"""Which characters of a PDF page can be seen: on the page, painted, large enough, and covered by nothing."""

import math
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.painting import Painting, opaque_images, order_of_text, place_of, rounded
from ocrqueue.geometry import Point, Rect

_PAINTED = 16 | 32  # FZ_STEXT_FILLED, FZ_STEXT_STROKED
_MIN_ALPHA = 26  # of 255: fainter text is not seen
_MIN_SIZE = 1.0  # points: smaller text is not read
_LIGHT = 0xA0  # a colour with a darker part cannot vanish on white
_THIN = 2.0  # points: a line so thin covers no text


class _Boxes:
    """Many boxes at once."""

    def __init__(self, boxes: list[Rect]) -> None:
        self._sides = np.array(boxes, dtype=float).reshape(-1, 4).T

    def meeting(self, box: Rect) -> "np.ndarray[Any, Any]":
        """The numbers of those that share something with a box."""
        left, top, right, bottom = self._sides
        meet = (left <= box[2]) & (box[0] <= right) & (top <= box[3]) & (box[1] <= bottom)
        return np.flatnonzero(meet)


class VisibleText:
    """Tells which characters of a page can be seen."""

    def __init__(self, page: Any, displayed: Any, painted: list[tuple[str, Rect]], grey: Painting) -> None:
        self.hidden = 0  # characters so far
        self._whole = (0.0, 0.0, page.rect.width, page.rect.height)
        self._grey = grey
        opaque = opaque_images(page, painted)
        large = [(i, kind, box) for i, (kind, box) in enumerate(painted) if min(_sides(box)) >= _THIN]
        fills = [box for _, kind, box in large if kind in ("fill-path", "fill-shade", "fill-imgmask")]
        images = [(i, box) for i, kind, box in large if kind == "fill-image"]
        covers = [(i, box) for i, box in images if rounded(box) in opaque]
        self._fills = _Boxes(fills + [box for _, box in images if rounded(box) not in opaque])
        self._covers = _Boxes([box for _, box in covers])
        self._painted_at = np.array([i for i, _ in covers], dtype=int)
        self._order = order_of_text(displayed) if covers else {}

    def visible(self, span: dict[str, Any], line: dict[str, Any]) -> list[bool]:
        """For each character of a span, whether it can be seen."""
        chars = span["chars"]
        if not span["char_flags"] & _PAINTED or span["alpha"] < _MIN_ALPHA or span["size"] < _MIN_SIZE:
            found = [False] * len(chars)
        elif _within(span["bbox"], self._whole) and not self._covers.meeting(span["bbox"]).size:
            found = [True] * len(chars)
        else:
            found = [self._shows(char) for char in chars]
        if any(found) and self._is_doubtful(span):
            inked = [self._inked(span, char, line["dir"]) if ok else ok for char, ok in zip(chars, found, strict=True)]
            found = _settled(chars, inked)
        self.hidden += sum(not ok and not char["c"].isspace() for char, ok in zip(chars, found, strict=True))
        return found

    def _shows(self, char: dict[str, Any]) -> bool:
        """Whether a character is on the page, and under no image."""
        x, y = _middle(char["bbox"])
        if not _within((x, y, x, y), self._whole):
            return False
        covers = self._painted_at[self._covers.meeting((x, y, x, y))]
        return bool((covers < self._order.get(place_of(char["origin"]), math.inf)).all())

    def _is_doubtful(self, span: dict[str, Any]) -> bool:
        """Whether the paper below, or what was painted there, could hide the text."""
        colour = span["color"]
        darkest = min(colour >> 16 & 255, colour >> 8 & 255, colour & 255)
        return darkest > _LIGHT or bool(self._fills.meeting(span["bbox"]).size)

    def _inked(self, span: dict[str, Any], char: dict[str, Any], direction: tuple[float, float]) -> bool | None:
        """Whether there is ink where a letter is; None where it may be another's, or where little is to be expected."""
        if not char["c"].isalnum():
            return None
        return self._grey.has_ink(_core(char, span["size"], direction))


def _core(char: dict[str, Any], size: float, direction: tuple[float, float]) -> Rect:
    """The part of a letter's box where any letter has ink: from the baseline up to half its size."""
    left, top, right, bottom = char["bbox"]
    x, y = char["origin"]
    cos, sin = direction
    if abs(cos) > 0.99:
        other = y - size / 2 * cos
        return left, min(y, other), right, max(y, other)
    if abs(sin) > 0.99:
        other = x + size / 2 * sin
        return min(x, other), top, max(x, other), bottom
    return left, top, right, bottom


def _settled(chars: list[dict[str, Any]], known: list[bool | None]) -> list[bool]:
    """What is not known is as the nearest in its word that is. A single letter is never hidden by itself."""
    sure = [i for i, value in enumerate(known) if value is not None]
    for before, place, after in zip(sure, sure[1:], sure[2:], strict=False):
        if known[before] and known[after]:
            known[place] = True
    words = accumulate((char["c"].isspace() for char in chars), initial=0)
    places = list(zip(words, range(len(chars)), strict=False))
    found: list[bool] = []
    for _, group in groupby(places, key=lambda each: each[0]):
        members = [i for _word, i in group]
        near = [i for i in members if known[i] is not None]
        found += [bool(known[min(near, key=lambda n: abs(n - i))]) if near else True for i in members]
    return found


def _sides(box: Rect) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def _middle(box: Rect) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _within(one: Rect, other: Rect) -> bool:
    return other[0] <= one[0] and other[1] <= one[1] and one[2] <= other[2] and one[3] <= other[3]
