"""Coloured ink that crosses black print is parted from it; other colours are not."""

import numpy as np
import pytest

from ocrqueue.engines.rapidocr.inks import crossing_inks

RED, BLUE, GREEN = (61, 43, 205), (190, 60, 40), (60, 150, 50)  # blue first


def printed():
    """White paper with black strokes."""
    page = np.full((400, 600, 3), 255, np.uint8)
    for top in range(50, 350, 40):
        page[top : top + 6, 50:550] = 20
    return page


def stamped(colour, opacity):
    """The page with a coloured rule down its middle."""
    page = printed()
    ink = np.array(colour) * opacity + page[:, 300:308] * (1 - opacity)
    page[20:380, 300:308] = ink[20:380].astype(np.uint8)
    return page


@pytest.mark.parametrize("colour", [RED, BLUE, GREEN])
@pytest.mark.parametrize("opacity", [0.95, 0.85])
def test_print_is_seen_through_coloured_ink_and_apart_from_it(colour, opacity):
    black, coloured = crossing_inks(stamped(colour, opacity))
    assert black[53, 100:500].max() < 100  # the print, also below the ink
    assert black[70, 300:308].min() > 200  # the ink is gone
    assert coloured[70, 304].max() < 200
    assert coloured[53, 100].min() > 240


def test_where_no_inks_cross_there_is_nothing_to_part():
    assert crossing_inks(printed()) is None
    heading = printed()
    heading[10:30:4, 50:300] = RED
    assert crossing_inks(heading) is None
    filled = printed()
    filled[40:120, 50:550][filled[40:120, 50:550].min(axis=2) > 200] = RED
    assert crossing_inks(filled) is None
    picture = np.random.default_rng(1).integers(0, 255, (400, 600, 3), np.uint8)
    assert crossing_inks(picture) is None
