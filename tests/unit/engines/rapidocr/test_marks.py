"""The part of a page that the detector sees, and its scale."""

import numpy as np
import pytest

from ocrqueue.engines.rapidocr.marks import Marks, marks_on


def found_on(pixels: np.ndarray) -> Marks:
    found = marks_on(pixels)
    assert found is not None
    return found


def page(*rectangles: tuple[int, int, int, int], grey: int = 0, width: int = 900, height: int = 1280) -> np.ndarray:
    """A white page with rectangles (left, top, right, bottom) of this grey."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    for left, top, right, bottom in rectangles:
        pixels[top:bottom, left:right] = grey
    return pixels


def word(left: int, top: int, height: int) -> list[tuple[int, int, int, int]]:
    """Five letters."""
    return [(left + 12 * i, top, left + 12 * i + 7, top + height) for i in range(5)]


def test_an_empty_page_has_no_marks():
    assert marks_on(page()) is None


@pytest.mark.parametrize("grey", [0, 200, 240])
def test_the_area_holds_all_marks_with_a_margin_also_faint_ones(grey):
    found = found_on(page((300, 400, 310, 420), (500, 700, 520, 710), grey=grey))
    left, top, right, bottom = found.area(900, 1280, 64)
    assert (left <= 300 - 16, top <= 400 - 16, right >= 520 + 16, bottom >= 710 + 16) == (True,) * 4
    assert (right - left) % 64 == (bottom - top) % 64 == 0
    assert (right - left) * (bottom - top) < 900 * 1280 / 4


def test_colours_of_equal_brightness_are_marks():
    pixels = page((0, 0, 900, 1280), grey=100)
    pixels[400:420, 300:340] = (100, 0, 199)  # blue, green, red: 100 as grey, too, by a hair
    assert found_on(pixels).area(900, 1280, 64)[:2] == (256, 352)


def test_noise_is_no_mark():
    noise = np.random.default_rng(1).integers(0, 16, (1280, 900, 3), np.uint8)
    found = found_on(page((450, 640, 470, 660)) - noise * (page((450, 640, 470, 660)) > 0))
    assert found.area(900, 1280, 64)[:2] == (416, 608)


def test_the_area_is_within_the_page():
    found = found_on(page((0, 0, 5, 40), (890, 1270, 900, 1280)))
    assert found.area(900, 1280, 64) == (0, 0, 900, 1280)
    assert found.area(450, 640, 64) == (0, 0, 450, 640)


def test_specks_are_no_marks():
    found = found_on(page((450, 640, 470, 660), (10, 10, 12, 12)))
    assert found.area(900, 1280, 64)[0] > 100


def test_the_scale_makes_large_letters_small_but_not_small_ones_illegible():
    large = found_on(page(*word(100, 100, 20), *word(100, 200, 20)))
    small = found_on(page(*word(100, 100, 10), *word(100, 200, 10)))
    both = found_on(page(*word(100, 100, 20), *word(100, 200, 10)))
    assert large.scale(10) == pytest.approx(0.5)
    assert small.scale(10) == both.scale(10) == 1


def test_a_page_without_letters_is_not_scaled():
    rule = found_on(page((100, 100, 110, 900)))
    assert rule.scale(10) == 1
    assert Marks((900, 1280), (0, 0, 1, 1), 10.5).scale(10) == 1  # not worth the time to scale the page again
    assert Marks((900, 1280), (0, 0, 1, 1), 90).scale(10) == 0.5


def test_thin_faint_rules_do_not_make_letters_small():
    pixels = page(*word(100, 20, 30))
    for top in range(80, 1280, 20):
        pixels[top : top + 3] = np.array([246, 237, 246], np.uint8)[:, None, None]
    assert found_on(pixels).scale(10) == 1.0
