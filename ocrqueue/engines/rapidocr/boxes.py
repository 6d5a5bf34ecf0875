"""From the detector's output to boxes of lines: post-processing of differentiable binarization (Liao and others, 2020).

Regions of pixels with a high score become rectangles, which are grown, since the network was trained on shrunken lines.
The results are those of RapidOCR's `DBPostProcess` and `TextDetector.sorted_boxes`, whose modules import libraries that
are not used here, such as an HTTP client: 27 MB, and 0.4 s of processor time whenever a child starts.
"""

import math
from dataclasses import dataclass
from operator import itemgetter

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_SMALL = 3  # pixels of the output; a region whose rectangle has a shorter side is no line
_SMALL_GROWN = 5  # the same after it was grown
_SMALL_SHOWN = 3  # pixels of the page; a box with a side that is not longer is no line
_ROW = 10  # pixels of the page; boxes whose tops are closer are in one row


@dataclass(frozen=True, slots=True)
class BoxFinder:
    """Finds the boxes of lines in the detector's output."""

    pixel_threshold: float  # 0 to 1; the score above which a pixel is text
    box_threshold: float  # 0 to 1; the mean score from which on a region is a line
    unclip: float  # by how much a region is grown: its area times this, over its perimeter
    most: int  # regions at most

    def __call__(self, scores: Floats, width: int, height: int) -> Floats:
        """The boxes on a page of this size, in rows from the top; `scores` has the shape height x width of the output.

        Boxes have the shape n x 4 x 2: whole pixels of the page, clockwise from the top left.
        """
        is_text = cv2.dilate((scores > self.pixel_threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
        contours, _ = cv2.findContours(is_text, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        output, page = np.array(scores.shape[::-1], np.float32), np.array([width, height], np.float32)
        boxes = []
        for contour in contours[: self.most]:
            corners = self._grown(scores, contour.astype(np.int32, copy=False))
            if corners is not None:
                on_page = np.minimum(np.maximum(np.round(corners / output * page), 0), page)
                box = np.minimum(_clockwise(on_page), page - 1)
                if min(map(int, _sides(box))) > _SMALL_SHOWN:
                    boxes.append(box)
        return _in_rows(np.array(boxes, np.float32).reshape(-1, 4, 2))

    def _grown(self, scores: Floats, contour: NDArray[np.int32]) -> Floats | None:
        """The corners of the rectangle around a contour, grown. None if it is too small, or its score is too low."""
        corners, side = _rectangle(contour)
        if side < _SMALL or _mean_inside(scores, corners) < self.box_threshold:
            return None
        across, down = _sides(corners)
        distance = across * down * self.unclip / (2 * (across + down))
        offset = pyclipper.PyclipperOffset()
        offset.AddPath(corners, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        grown, side = _rectangle(np.array(offset.Execute(distance), np.int32).reshape(-1, 1, 2))
        return None if side < _SMALL_GROWN else grown


def _rectangle(contour: NDArray[np.int32]) -> tuple[Floats, float]:
    """The corners of the smallest rectangle around a contour, clockwise from the top left, and its shorter side."""
    rectangle = cv2.minAreaRect(contour)
    return _clockwise(cv2.boxPoints(rectangle).astype(np.float32, copy=False)), min(rectangle[1])


def _sides(corners: Floats) -> tuple[float, float]:
    """The length of the first and of the last side of a rectangle with these corners: its width and its height."""
    first, second, _, last = corners.tolist()
    return math.dist(first, second), math.dist(first, last)


def _mean_inside(scores: Floats, corners: Floats) -> float:
    """The mean score of the pixels in a rectangle with these corners."""
    (left, right), (top, bottom) = _span(corners[:, 0], scores.shape[1]), _span(corners[:, 1], scores.shape[0])
    inside = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(inside, [(corners - np.array([left, top])).astype(np.int32)], 1)
    return cv2.mean(scores[top : bottom + 1, left : right + 1], inside)[0]


def _span(places: Floats, size: int) -> tuple[int, int]:
    """The first and the last pixel between the outermost of these places, from 0 to `size` - 1."""
    first, last = math.floor(places.min()), math.ceil(places.max())
    return min(max(first, 0), size - 1), min(max(last, 0), size - 1)


def _clockwise(corners: Floats) -> Floats:
    """The corners clockwise from the top left: the upper of the two on the left is first."""
    points = sorted(corners.tolist(), key=itemgetter(0))  # of four points, NumPy takes longer than Python
    left, right = (sorted(side, key=itemgetter(1)) for side in (points[:2], points[2:]))
    return np.array([left[0], right[0], right[1], left[1]], np.float32)


def _in_rows(boxes: Floats) -> Floats:
    """Sort boxes by rows from the top, and from the left within a row."""
    boxes = boxes[boxes[:, 0, 1].argsort(kind="stable")]
    rows = (np.diff(boxes[:, 0, 1], prepend=boxes[:1, 0, 1]) >= _ROW).cumsum()
    return boxes[np.lexsort((boxes[:, 0, 0], rows))]
