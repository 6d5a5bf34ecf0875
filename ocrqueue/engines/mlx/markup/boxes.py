"""Boxes on the page image for the coordinates in models' answers. Coordinates without sense give no box."""

import math
import re
from collections.abc import Iterable, Sequence

from ocrqueue.engines.mlx.view import View
from ocrqueue.geometry import Point, Quad, bounds

NUMBER = r"-?\d+(?:\.\d+)?"
THOUSANDTHS = 1000  # coordinates of most models run from 0 to 1000


def numbers_in(text: str) -> list[float]:
    """The decimal numbers in a text, in order."""
    return [float(n) for n in re.findall(NUMBER, text)]


def is_number(text: str) -> bool:
    """Whether a text is a number, also one that is not finite."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def box_of(numbers: Iterable[str | float], view: View, whole: int | None) -> Quad | None:
    """The box of left, top, right and bottom, which run from 0 to `whole`; None: they are pixels that the model sees.

    Returns None if `numbers` are not four finite numbers, or if the box has no area on the page.
    """
    try:
        values = [float(n) for n in numbers]
    except ValueError:
        return None
    if len(values) != 4 or not all(map(math.isfinite, values)):
        return None
    left, top, right, bottom = values
    if whole is None:
        return rectangle(view.point(left, top), view.point(right, bottom))
    return rectangle(*points_of([left, top, right, bottom], view, whole))


def around(numbers: Sequence[float]) -> Sequence[float]:
    """The box around several boxes of four numbers each; unchanged if their count is no multiple of four."""
    if not numbers or len(numbers) % 4:
        return numbers
    return [min(numbers[::4]), min(numbers[1::4]), max(numbers[2::4]), max(numbers[3::4])]


def points_of(numbers: Sequence[float], view: View, whole: int) -> list[Point]:
    """The points of the page for pairs of coordinates that run from 0 to `whole`."""
    width, height = view.shown[0] / whole, view.shown[1] / whole
    return [view.point(x * width, y * height) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def quad_of(numbers: Sequence[float], view: View, whole: int) -> Quad | None:
    """The quadrangle of four corners, whose coordinates run from 0 to `whole`.

    Returns None if `numbers` are not eight finite numbers, or if it has no area on the page.
    """
    if len(numbers) != 8 or not all(map(math.isfinite, numbers)):
        return None
    points = points_of(numbers, view, whole)
    left, top, right, bottom = bounds(points)
    return (points[0], points[1], points[2], points[3]) if left < right and top < bottom else None


def rectangle(first: Point, second: Point) -> Quad | None:
    """The upright rectangle with these two opposite corners, in any order; None if it has no area."""
    (x1, x2), (y1, y2) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2)) if x1 < x2 and y1 < y2 else None
