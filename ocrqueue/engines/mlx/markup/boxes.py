"""Boxes of the page image for the coordinates in models' answers."""

from typing import Any

from ocrqueue.engines.mlx.view import View
from ocrqueue.geometry import Point, Quad

NUMBER = r"\d+(?:\.\d+)?"
THOUSANDTHS = 1000  # coordinates of most models run from 0 to 1000


def share(x: float, y: float, view: View, whole: int) -> Point:
    """The point of the page for coordinates that run from 0 to `whole`."""
    return view.point(x * view.shown[0] / whole, y * view.shown[1] / whole)


def box_of(numbers: Any, view: View, whole: int | None) -> Quad | None:
    """The box of left, top, right and bottom, which run from 0 to `whole`; None: they are pixels that the model sees.

    Returns None if `numbers` are not four numbers.
    """
    try:
        left, top, right, bottom = (float(n) for n in numbers)
    except (TypeError, ValueError):
        return None
    if whole is None:
        return rectangle(view.point(left, top), view.point(right, bottom))
    return rectangle(share(left, top, view, whole), share(right, bottom, view, whole))


def rectangle(first: Point, second: Point) -> Quad:
    """The upright rectangle with these two opposite corners."""
    (x1, x2), (y1, y2) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)
