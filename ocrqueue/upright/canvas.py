"""The canvas around a turned page: its size, and the transform from it back to the page."""

import math
from typing import Any

import numpy as np

from ocrqueue.documents.transforms import Transform

Size = tuple[int, int]  # width and height in pixels


def turned_size(size: Size, degrees: float) -> Size:
    """Width and height of the smallest canvas that contains an image of `size` turned by `degrees`."""
    c, s = _cos_sin(degrees)
    width, height = (abs(c) * size[0] + abs(s) * size[1], abs(s) * size[0] + abs(c) * size[1])
    return math.ceil(width - 1e-6), math.ceil(height - 1e-6)


def way_back(size: Size, degrees: float) -> Transform:
    """From the canvas, on which the image is turned clockwise by `degrees` around its middle, to the image of `size`.

    Coordinates are continuous: (0, 0) is the outer corner of the first pixel.
    """
    c, s = _cos_sin(degrees)
    new = turned_size(size, degrees)
    x, y = new[0] / 2, new[1] / 2
    return c, s, size[0] / 2 - c * x - s * y, -s, c, size[1] / 2 + s * x - c * y


def warp_matrix(transform: Transform) -> Any:
    """The transform as a 2 x 3 matrix for OpenCV, in which the middle of the first pixel is (0, 0), not (0.5, 0.5)."""
    matrix = np.array(transform, dtype=np.float64).reshape(2, 3)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return matrix


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Cosine and sine; exact for quarter turns, so that the size of their canvas is exact."""
    if degrees % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[round(degrees / 90) % 4]
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle)
