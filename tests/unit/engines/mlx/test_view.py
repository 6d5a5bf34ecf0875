"""The image that a model sees of a page: its sizes, and the mapping of points back to the page."""

import random

import pytest
from PIL import Image

from ocrqueue.engines.mlx.view import View, bucket, fit_page, fit_size


def test_sides_have_few_sizes():
    sizes = {bucket(side, 28) for side in range(1, 4001)}
    assert len(sizes) <= 26
    for side in range(1, 4001):
        assert side <= bucket(side, 28) <= max(side + 27, side * 1.25 + 28)
        assert bucket(side, 28) % 28 == 0
        assert bucket(bucket(side, 28), 28) == bucket(side, 28)


def test_the_model_sees_few_sizes_of_a_thousand_pages():
    draw = random.Random(1)
    shown = set()
    for _ in range(1000):
        page = draw.randint(1100, 1300), draw.randint(1600, 1800)
        shown.add(fit_size(page, 56, 1_600_000, True)[1].shown)
    assert len(shown) <= 8


@pytest.mark.parametrize("size", [(1, 1), (1240, 1754), (9000, 200), (30, 4000)])
@pytest.mark.parametrize("buckets", [True, False])
def test_a_page_is_never_larger_than_allowed(size, buckets):
    image, view = fit_page(Image.new("RGB", size), 56, 1_000_000, buckets)
    assert image.size == view.shown
    assert image.width * image.height <= 1_000_000 * 1.001 or min(image.size) <= 56
    assert view.page == size


def test_the_page_is_at_the_top_left_on_white():
    page = Image.new("RGB", (100, 50), "black")
    image, view = fit_page(page, 48, 1_000_000, True)
    assert image.size == (144, 96)
    assert image.getpixel((99, 49)) == (0, 0, 0)
    assert image.getpixel((100, 49)) == image.getpixel((99, 50)) == (255, 255, 255)
    assert view == View((100, 50), (144, 96), 1.0)


def test_points_are_mapped_back_to_the_page():
    _, view = fit_page(Image.new("RGB", (2000, 1000)), 50, 500_000, True)
    assert view.scale < 1
    x, y = view.point(1000 * view.scale, 500 * view.scale)
    assert (round(x), round(y)) == (1000, 500)
    assert view.point(*view.shown) == (2000, 1000)
    assert view.point(-5, -5) == (0, 0)


def test_without_buckets_a_page_keeps_its_shape():
    image, view = fit_page(Image.new("RGB", (640, 480)), 32, 10_000_000, False)
    assert image.size == (640, 480)
    assert view == View((640, 480), (640, 480))


@pytest.mark.parametrize(
    ("page", "shown"), [((1240, 1754), (911, 1288)), ((2000, 1000), (1288, 644)), ((10, 40), (322, 1288))]
)
def test_the_longer_side_has_exactly_the_wanted_length(page, shown):
    size, view = fit_size(page, 56, 1_000, True, longest=1288)
    assert size == view.shown == shown
    assert view.point(*shown) == pytest.approx(page, abs=1.0)


@pytest.mark.parametrize(
    ("page", "size"),
    [((600, 400), (1200, 800)), ((1499, 400), (2998, 800)), ((1500, 400), (1500, 400)), ((1400, 1400), (1897, 1897))],
)
def test_small_pages_are_doubled_where_the_task_wants_it(page, size):
    """As PaddleOCR-VL's authors do before `Spotting:`, but never above the limit on pixels."""
    found, view = fit_size(page, 56, 3_600_000, False, doubled_below=1500)
    assert found == view.shown == size
    assert view.point(*size) == pytest.approx(page, abs=1.0)
    assert fit_size(page, 56, 3_600_000, False)[0] == page
