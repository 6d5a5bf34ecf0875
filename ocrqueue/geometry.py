"""Points and boxes: x runs to the right, y down. Each use states the unit: pixels, or points (1/72 inch)."""

from collections.abc import Iterable

Point = tuple[float, float]  # x, y
Quad = tuple[Point, Point, Point, Point]  # four corners, clockwise from the top left corner of the text as it is read
Rect = tuple[float, float, float, float]  # left, top, right, bottom


def bounds(points: Iterable[Point]) -> Rect:
    """The smallest rectangle around some points, such as the corners of a quad. Raises ValueError without points."""
    corners = tuple(points)
    if len(corners) == 4:  # a quad, as nearly always: this takes half the time
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
        return min(ax, bx, cx, dx), min(ay, by, cy, dy), max(ax, bx, cx, dx), max(ay, by, cy, dy)
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def union(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle around some rectangles. Raises ValueError without rectangles."""
    lefts, tops, rights, bottoms = zip(*rects, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def intersection(one: Rect, other: Rect) -> Rect:
    """The part that two rectangles share. If they share nothing, the result has a negative side: its area is 0."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def mirrored(rect: Rect, width: float) -> Rect:
    """A rectangle of a page of this width, seen in a mirror."""
    return width - rect[2], rect[1], width - rect[0], rect[3]


def area(rect: Rect) -> float:
    """Width times height; 0 if a side is negative."""
    return max(0.0, rect[2] - rect[0]) * max(0.0, rect[3] - rect[1])


def point_between(start: Point, end: Point, share: float) -> Point:
    """The point at a share of the way: 0 is `start`, 1 is `end`."""
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
