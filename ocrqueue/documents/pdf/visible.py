"""Which characters of a PDF page are visible: on the page, painted, large enough, and not covered."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.painting import Painting, opaque_images, order_of_text, place_of, rounded
from ocrqueue.geometry import Point, Rect

_PAINTED = 16 | 32  # character flags of MuPDF: FZ_STEXT_FILLED, FZ_STEXT_STROKED
_CLIPS = 64  # FZ_STEXT_CLIPPED: the text is the outline of what is painted next, such as a gradient, or of nothing
_MIN_ALPHA = 26  # of 255: more transparent text is invisible
_MIN_SIZE = 1.0  # points: smaller text is unreadable
_LIGHT = 0xA0  # of 255: a colour with a darker component is visible on white
_FEW = 30  # boxes
_STYLE = itemgetter("char_flags", "alpha", "size", "color")  # of a span
_THIN = 2.0  # points: a line so thin covers no text


class _Boxes:
    """Many boxes, compared at once."""

    def __init__(self, boxes: list[Rect]) -> None:
        self._boxes = boxes
        self._sides = np.array(boxes, dtype=float).reshape(-1, 4).T

    def meeting(self, box: Rect) -> list[int]:
        """The indexes of the boxes that overlap or touch `box`."""
        if len(self._boxes) <= _FEW:  # as on most pages: faster than with arrays
            return [index for index, other in enumerate(self._boxes) if _meet(box, other)]
        left, top, right, bottom = self._sides
        meet = (left <= box[2]) & (box[0] <= right) & (top <= box[3]) & (box[1] <= bottom)
        found: list[int] = meet.nonzero()[0].tolist()
        return found


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What may hide characters of a line."""

    fills: list[Rect]  # painted at its place: the line may have their colour
    covers: list[tuple[int, Rect]]  # opaque images at its place, and when they were painted
    is_clear: bool  # whether nothing is painted at the place of the line, which is on the page


class VisibleText:
    """Decides which characters of one page are visible."""

    def __init__(self, page: Any, displayed: Any, painted: list[tuple[str, Rect]], grey: Painting) -> None:
        self.hidden = 0  # number of characters found invisible so far
        self._whole = (0.0, 0.0, page.rect.width, page.rect.height)
        self.grey = grey  # the page
        opaque = opaque_images(page, painted)
        large = [(i, kind, box) for i, (kind, box) in enumerate(painted) if min(_sides(box)) >= _THIN]
        fills = [box for _, kind, box in large if kind in ("fill-path", "fill-shade", "fill-imgmask")]
        images = [(i, box) for i, kind, box in large if kind == "fill-image"]
        covers = [(i, box) for i, box in images if rounded(box) in opaque]
        self._fills = fills + [box for _, box in images if rounded(box) not in opaque]
        self._covers = covers
        self._fill_boxes, self._cover_boxes = _Boxes(self._fills), _Boxes([box for _, box in covers])
        self._order = order_of_text(displayed) if covers else {}

    def shown(self, line: dict[str, Any]) -> list[str]:
        """The text of each span of a line, with spaces in place of the characters that are not visible."""
        spans = line["spans"]
        texts: list[str] = [span["text"] for span in spans]
        around = self._around(line)
        if around.is_clear and all(map(_is_strong, map(_STYLE, spans))):
            return texts  # as nearly always
        for index, span in enumerate(spans):
            visible = self._visible(span, line, around)
            if visible is not None:
                texts[index] = "".join([c if ok else " " for c, ok in zip(texts[index], visible, strict=True)])
        return texts

    def _around(self, line: dict[str, Any]) -> Surroundings:
        """What may hide characters of a line."""
        box = line["bbox"]
        fills = [self._fills[i] for i in self._fill_boxes.meeting(box)]
        covers = [self._covers[i] for i in self._cover_boxes.meeting(box)]
        return Surroundings(fills, covers, is_clear=not fills and not covers and _within(box, self._whole))

    def _visible(self, span: dict[str, Any], line: dict[str, Any], around: Surroundings) -> list[bool] | None:
        """For each character of a span: whether it is visible. None if all are. `around` is of its line."""
        is_painted = _is_painted(span["char_flags"], span["alpha"], span["size"])
        is_dark = _is_dark(span["color"])
        if is_painted and is_dark and around.is_clear:
            return None
        # Over an opaque image, it may be the hidden text of an earlier OCR.
        is_outline = bool(span["char_flags"] & _CLIPS) and span["size"] >= _MIN_SIZE and not around.covers
        chars, box = span["chars"], span["bbox"]
        found: list[bool] | None = None
        if not is_painted and not is_outline:
            found = [False] * len(chars)
        elif not _within(box, self._whole) or any(_meet(box, cover) for _, cover in around.covers):
            found = [self._shows(char, around) for char in chars]
        # The text may be invisible on white paper, or on something that was painted at its place.
        is_doubtful = is_outline or not is_dark or any(_meet(box, fill) for fill in around.fills)
        if is_doubtful and (found is None or any(found)):
            shown = found or [True] * len(chars)
            inked = [self._inked(span, char, line["dir"]) if ok else ok for char, ok in zip(chars, shown, strict=True)]
            found = _settled(chars, inked)
        if found is None or all(found):
            return None
        self.hidden += sum(not ok and not char["c"].isspace() for char, ok in zip(chars, found, strict=True))
        return found

    def _shows(self, char: dict[str, Any], around: Surroundings) -> bool:
        """Whether the middle of a character is on the page, and no opaque image was painted over it later."""
        x, y = _middle(char["bbox"])
        place = (x, y, x, y)
        painted = self._order.get(place_of(char["origin"]), math.inf)
        return _within(place, self._whole) and not any(
            when >= painted and _meet(place, cover) for when, cover in around.covers
        )

    def _inked(self, span: dict[str, Any], char: dict[str, Any], direction: Point) -> bool | None:
        """Whether the page has ink where a letter is; None if unclear: a neighbour's ink, or a sign with little ink."""
        left, top, right, bottom = char["bbox"]
        if not char["c"].isalnum() or left == right or top == bottom:  # a letter of a ligature, after its first one
            return None
        return self.grey.has_ink(_core(char, span["size"], direction))


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
    if False not in known:
        return [True] * len(chars)
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


@lru_cache(256)  # a page has hundreds of spans, and few styles
def _is_strong(style: tuple[int, int, float, int]) -> bool:
    """Whether a span of this style, see `_STYLE`, is visible on an empty place of the page."""
    flags, alpha, size, colour = style
    return _is_painted(flags, alpha, size) and _is_dark(colour)


def _is_painted(flags: int, alpha: int, size: float) -> bool:
    """Whether text with these flags, opacity and size is painted at all, and large enough to be read."""
    return bool(flags & _PAINTED) and alpha >= _MIN_ALPHA and size >= _MIN_SIZE


def _is_dark(colour: int) -> bool:
    """Whether a colour, 0xRRGGBB, is visible on white: its smallest component is dark."""
    return min(colour >> 16, colour >> 8 & 255, colour & 255) <= _LIGHT


def _meet(one: Rect, other: Rect) -> bool:
    """Whether two boxes overlap or touch."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _sides(box: Rect) -> tuple[float, float]:
    """Width and height."""
    return box[2] - box[0], box[3] - box[1]


def _middle(box: Rect) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _within(one: Rect, other: Rect) -> bool:
    """Whether `one` lies inside `other`."""
    return other[0] <= one[0] and other[1] <= one[1] and one[2] <= other[2] and one[3] <= other[3]
