"""Bounds, intersections and areas of quads and rectangles."""

import pytest

from ocrqueue.geometry import area, bounds, intersection, point_between, union


def test_bounds_of_a_turned_quad():
    assert bounds([(3, 1), (5, 3), (3, 5), (1, 3)]) == (1, 1, 5, 5)


def test_union_and_intersection():
    one, other = (0, 0, 4, 3), (2, 1, 9, 2)
    assert union([one, other]) == (0, 0, 9, 3)
    assert intersection(one, other) == (2, 1, 4, 2)


def test_rectangles_that_share_nothing_share_no_area():
    assert area(intersection((0, 0, 1, 1), (2, 2, 3, 3))) == 0  # both sides are negative, and their product is positive
    assert area((0, 0, 2, 3)) == 6


def test_a_point_between_two():
    assert point_between((0, 10), (4, 20), 0.25) == pytest.approx((1, 12.5))
