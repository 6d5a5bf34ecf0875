"""Which part of a page the detector has to see, and at which scale.

The detector's time is proportional to the pixels that it sees. Margins contain no lines, and large letters are found
as well when they are shown smaller.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrqueue.vision.components import components_of

# A mark differs from the paper by more than this contrast, or by more than noise does: within 3 x 3 pixels, of 255.
_CONTRAST = 12
_NOISE = 4.0  # times the contrast that three quarters of all pixels exceed ...
_MOST = 40  # ... but at most this contrast
_SMALLEST = 6  # pixels; a mark is at least so wide or high; smaller is a speck
_MARGIN = 16  # pixels that the detector sees around the marks
_STEP = 32  # pixels by which the detector scales the page down inside: a part begins at a multiple of it
_LARGEST = 1 / 14  # of the longer side of the page; a mark that is higher is no letter
_TALL = 3  # heights per width; a mark that is taller is an l, a rule, or a column of vertical writing
_SHARE = 25  # percent of the letters that may be lower than the height that decides the scale
_LEAST = 0.5  # the smallest scale, and ...
_WORTH = 0.9  # ... the largest that is worth scaling the page again


@dataclass(frozen=True, slots=True)
class Marks:
    """All that may be text on a page of `size`."""

    size: tuple[int, int]  # width and height in pixels
    box: tuple[int, int, int, int]  # left, top, right and bottom of all marks, in pixels
    letter: float  # height of the small letters in pixels; 0 if there are none

    def scale(self, height: float) -> float:
        """The scale, at most 1, that makes the small letters no less than `height` pixels high."""
        scale = max(_LEAST, height / self.letter) if self.letter else 1.0
        return scale if scale < _WORTH else 1.0

    def area(self, width: int, height: int, grid: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the part to show, on the page when it has this width and height.

        The width and the height of the part are multiples of `grid` pixels, unless the page ends before.
        """
        left, right = _span(self.box[0] * width / self.size[0], self.box[2] * width / self.size[0], width, grid)
        top, bottom = _span(self.box[1] * height / self.size[1], self.box[3] * height / self.size[1], height, grid)
        return left, top, right, bottom


def marks_on(page: NDArray[np.uint8]) -> Marks | None:
    """The marks on a page (height x width x 3). None if it is empty."""
    blue, green, red = cv2.split(cv2.morphologyEx(page, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    contrast = cv2.max(cv2.max(blue, green), red)
    least = min(_MOST, max(_CONTRAST, _NOISE * _quarter(contrast)))
    _, mask = cv2.threshold(contrast, least, 1, cv2.THRESH_BINARY)
    found = components_of(mask)
    left, top, width, height = found.x, found.y, found.width, found.height
    is_mark = np.maximum(width, height) >= _SMALLEST
    if not is_mark.any():
        return None
    left, top, width, height = left[is_mark], top[is_mark], width[is_mark], height[is_mark]
    box = int(left.min()), int(top.min()), int((left + width).max()), int((top + height).max())
    width, height = width - 2, height - 2  # the gradient reaches one pixel beyond each edge
    # a thin faint rule has no height here; it counts as low, so that forms are not shown smaller
    heights = np.maximum(height, 1)[(height <= max(page.shape) * _LARGEST) & (height <= _TALL * width)]
    return Marks((page.shape[1], page.shape[0]), box, float(np.percentile(heights, _SHARE)) if len(heights) else 0.0)


def _span(start: float, end: float, size: int, grid: int) -> tuple[int, int]:
    """Start and end of a span with a margin around these, as long as a multiple of `grid`, between 0 and `size`."""
    first = max(0, int(start) - _MARGIN) // _STEP * _STEP
    last = min(size, int(end) + 1 + _MARGIN)
    return first, min(size, first + -(-(last - first) // grid) * grid)


def _quarter(values: cv2.typing.MatLike) -> int:
    """The value that three quarters of all exceed."""
    counts = cv2.calcHist([values], [0], None, [256], [0, 256]).ravel().cumsum()
    return int(np.searchsorted(counts, values.size / 4))
