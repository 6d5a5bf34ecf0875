"""Boxes for coordinates, and none for coordinates without sense."""

import pytest

from ocrqueue.engines.mlx.markup.boxes import around, box_of, is_number, numbers_in, quad_of, rectangle
from tests.support.markup import HALF, VIEW


def test_coordinates_of_a_grid_and_of_pixels():
    assert box_of([100, 200, 500, 1000], VIEW, 1000) == ((100, 400), (500, 400), (500, 2000), (100, 2000))
    assert box_of(["28", "56", "280", "560"], HALF, None) == ((56, 112), (560, 112), (560, 1120), (56, 1120))


def test_corners_in_any_order_and_beyond_the_page():
    assert box_of([900, 2000, -5, 500], VIEW, 1000) == ((0, 1000), (900, 1000), (900, 2000), (0, 2000))


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        ["a", 1, 2, 3],
        ["NaN", 1, 2, 3],
        ["1e999", 1, 2, 3],
        [5, 1, 5, 9],
        [-9, 1, -2, 5],
    ],
)
def test_no_box(numbers):
    assert box_of(numbers, VIEW, 1000) is None


def test_quadrangles():
    assert quad_of([10, 20, 300, 25, 300, 60, 10, 55], VIEW, 1000) == ((10, 40), (300, 50), (300, 120), (10, 110))
    assert quad_of([10, 20, 300, 25], VIEW, 1000) is None
    assert quad_of([5] * 8, VIEW, 1000) is None
    assert quad_of([float("inf")] * 8, VIEW, 1000) is None


def test_the_box_around_several():
    assert around([5, 6, 7, 8, 1, 9, 2, 10]) == [1, 6, 7, 10]
    assert around([1, 2, 3]) == [1, 2, 3]


def test_numbers():
    assert numbers_in("[-1, 2.5],3") == [-1, 2.5, 3]
    assert is_number("NaN")
    assert is_number("-1.5e3")
    assert not is_number("left")


def test_a_rectangle_without_area_is_none():
    assert rectangle((1, 2), (1, 5)) is None
