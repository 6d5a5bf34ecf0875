"""Which characters of a PDF page are visible: on the page, painted, large enough, and not covered."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.painting import Painting, opaque_images, order_of_text, place_of, rounded
from ocrqueue.geometry import Point, Rect

_PAINTED = 16 | 32  # character flags of MuPDF: FZ_STEXT_FILLED, FZ_STEXT_STROKED
_MIN_ALPHA = 26  # of 255: more transparent text is invisible
_MIN_SIZE = 1.0  # points: smaller text is unreadable
_LIGHT = 0xA0  # of 255: a colour with a darker component is visible on white
_THIN = 2.0  # points: a line so thin covers no text
_NONE = np.empty(0, dtype=int)


class _Boxes:
    """Many boxes, compared at once."""

    def __init__(self, boxes: list[Rect]) -> None:
        self._sides = np.array(boxes, dtype=float).reshape(-1, 4).T

    def meeting(self, box: Rect) -> "np.ndarray[Any, Any]":
        """The indexes of the boxes that overlap or touch `box`."""
        if not self._sides.size:
            return _NONE
        left, top, right, bottom = self._sides
        meet = (left <= box[2]) & (box[0] <= right) & (top <= box[3]) & (box[1] <= bottom)
        return np.flatnonzero(meet)


class VisibleText:
    """Decides which characters of one page are visible."""

    def __init__(self, page: Any, displayed: Any, painted: list[tuple[str, Rect]], grey: Painting) -> None:
        self.hidden = 0  # number of characters found invisible so far
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

    def is_clear(self, line: dict[str, Any]) -> bool:
        """Whether a line lies inside the page, and nothing was painted at its place."""
        box = line["bbox"]
        return _within(box, self._whole) and not (self._covers.meeting(box).size or self._fills.meeting(box).size)

    def visible(self, span: dict[str, Any], line: dict[str, Any], *, is_clear: bool) -> list[bool] | None:
        """For each character of a span: whether it is visible. None if all are. `is_clear` is that of the line."""
        is_painted = span["char_flags"] & _PAINTED and span["alpha"] >= _MIN_ALPHA and span["size"] >= _MIN_SIZE
        if is_clear and is_painted and _darkest(span["color"]) <= _LIGHT:
            return None
        chars = span["chars"]
        found: list[bool] | None = None
        if not is_painted:
            found = [False] * len(chars)
        elif not _within(span["bbox"], self._whole) or self._covers.meeting(span["bbox"]).size:
            found = [self._shows(char) for char in chars]
        if (found is None or any(found)) and self._is_doubtful(span):
            shown = found or [True] * len(chars)
            inked = [self._inked(span, char, line["dir"]) if ok else ok for char, ok in zip(chars, shown, strict=True)]
            found = _settled(chars, inked)
        if found is None or all(found):
            return None
        self.hidden += sum(not ok and not char["c"].isspace() for char, ok in zip(chars, found, strict=True))
        return found

    def _shows(self, char: dict[str, Any]) -> bool:
        """Whether the middle of a character is on the page, and no opaque image was painted over it later."""
        x, y = _middle(char["bbox"])
        if not _within((x, y, x, y), self._whole):
            return False
        covers = self._painted_at[self._covers.meeting((x, y, x, y))]
        return bool((covers < self._order.get(place_of(char["origin"]), math.inf)).all())

    def _is_doubtful(self, span: dict[str, Any]) -> bool:
        """Whether the text may be invisible on white paper, or on something that was painted at its place."""
        return _darkest(span["color"]) > _LIGHT or bool(self._fills.meeting(span["bbox"]).size)

    def _inked(self, span: dict[str, Any], char: dict[str, Any], direction: tuple[float, float]) -> bool | None:
        """Whether the page has ink where a letter is; None if unclear: a neighbour's ink, or a sign with little ink."""
        if not char["c"].isalnum():
            return None
        return self._grey.has_ink(_core(char, span["size"], direction))


def _core(char: dict[str, Any], size: float, direction: tuple[float, float]) -> Rect:
    """The part of a letter's box in which every letter has ink: from the baseline up to half the font size."""
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
    """The visibility of each character, unknown values (None) filled in.

    A letter between two visible ones is visible: single letters are not hidden. An unknown character is like the
    nearest known one in its word; in a word without known characters all are visible.
    """
    sure = [i for i, value in enumerate(known) if value is not None]
    for before, place, after in zip(sure, sure[1:], sure[2:], strict=False):
        if known[before] and known[after]:
            known[place] = True
    found: list[bool] = []
    for word in _words(chars):
        sure = [i for i in word if known[i] is not None]
        for i in word:
            nearest = min(sure, key=lambda n: abs(n - i), default=None)
            found.append(nearest is None or bool(known[nearest]))
    return found


def _words(chars: list[dict[str, Any]]) -> Iterator[range]:
    """The indexes of the characters of each word; a space belongs to the word before it."""
    start = 0
    for i, char in enumerate(chars, 1):
        if char["c"].isspace() or i == len(chars):
            yield range(start, i)
            start = i


def _darkest(colour: int) -> int:
    """The smallest component of a colour 0xRRGGBB."""
    return min(colour >> 16, colour >> 8 & 255, colour & 255)


def _sides(box: Rect) -> tuple[float, float]:
    """Width and height."""
    return box[2] - box[0], box[3] - box[1]


def _middle(box: Rect) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _within(one: Rect, other: Rect) -> bool:
    """Whether `one` lies inside `other`."""
    return other[0] <= one[0] and other[1] <= one[1] and one[2] <= other[2] and one[3] <= other[3]
