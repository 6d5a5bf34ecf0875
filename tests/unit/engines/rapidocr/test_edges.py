"""The upper and the lower edge of a line, in parts of the detector's pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrqueue.engines.rapidocr.edges import exact_edges

LENGTH, HEIGHT = 60.0, 20.0  # of the box


def band(middle: float, thick: float, slope: float = 0.0) -> NDArray[np.float32]:
    """Scores of a line across the page: 0.5 at half of `thick` above and below its middle, which falls by `slope`."""
    rows, columns = np.mgrid[0:64, 0:96]
    distance = np.abs(rows - middle - slope * (columns - 48)) / np.hypot(1, slope)
    return np.clip(0.5 + (thick / 2 - distance) / 3, 0, 1).astype(np.float32)


def box(middle: float, slope: float = 0.0) -> NDArray[np.float32]:
    """The quad of a line in whose middle is column 48."""
    along = np.array([1, slope]) / np.hypot(1, slope)
    down = np.array([-along[1], along[0]])
    left, right = (np.array([48, middle]) + side * along * LENGTH / 2 for side in (-1, 1))
    half = down * HEIGHT / 2
    return np.array([left - half, right - half, right + half, left + half], np.float32)


@pytest.mark.parametrize("middle", [30.0, 30.25, 30.5, 30.8])
@pytest.mark.parametrize("thick", [6.0, 7.5])
def test_edges_are_where_the_mean_score_is_half_of_the_largest(middle: float, thick: float) -> None:
    quad = exact_edges(band(middle, thick), box(30), 0.0)
    assert quad[:, 0].tolist() == box(30)[:, 0].tolist()
    assert quad[:, 1] == pytest.approx([middle - thick / 2] * 2 + [middle + thick / 2] * 2, abs=0.01)


def test_a_line_that_falls_keeps_its_direction() -> None:
    quad = exact_edges(band(30.3, 7, slope=0.1), box(30, slope=0.1), 0.0)
    height = np.linalg.norm(quad[3] - quad[0])
    assert height == pytest.approx(7, abs=0.2)
    assert (quad[1] - quad[0]).tolist() == pytest.approx((box(30, 0.1)[1] - box(30, 0.1)[0]).tolist(), abs=1e-4)
    assert quad.mean(axis=0) == pytest.approx([48, 30.3], abs=0.1)


def test_edges_are_moved_apart_as_boxes_are_grown() -> None:
    quad = exact_edges(band(30, 8), box(30), 2.2)
    long = LENGTH - (HEIGHT - 8)  # before the box was grown on all sides
    assert quad[3, 1] - quad[0, 1] == pytest.approx(8 + 2.2 * long * 8 / (long + 8), abs=0.01)


def test_a_band_that_leaves_the_box_ends_near_it() -> None:
    quad = exact_edges(np.ones((64, 96), np.float32), box(30), 0.0)
    assert quad[:, 1] == pytest.approx([18, 18, 42, 42], abs=0.01)


def test_the_next_line_is_not_taken_for_this_one() -> None:
    scores = 0.6 * band(30, 8) + band(41, 8)
    assert exact_edges(scores, box(30), 0.0)[:, 1] == pytest.approx([26, 26, 34.3, 34.3], abs=0.5)


def test_a_quad_without_area_stays() -> None:
    quad = np.zeros((4, 2), np.float32)
    assert exact_edges(band(30, 6), quad, 2.2).tolist() == quad.tolist()
