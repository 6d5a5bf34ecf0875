"""Lines as rectangles in coordinates of the layout."""

import math

import pytest

from ocrqueue.layout.pieces import Frame, piece_of, placed_bounds, placed_edges
from ocrqueue.pages import Line

LEVEL = ((10.0, 5.0), (40.0, 6.0), (39.0, 16.0), (9.0, 15.0))
ODD = [
    ((math.nan, 5.0), (40.0, 5.0), (40.0, 15.0), (10.0, 15.0)),
    ((10.0, 5.0), (math.inf, 5.0), (40.0, 15.0), (10.0, 15.0)),
    ((-5e6, 5.0), (5e6, 5.0), (5e6, 15.0), (-5e6, 15.0)),
    ((10.0, 5.0), (40.0, 5.0)),
    (),
]
FRAMES = [Frame(), Frame(angle=0.1), Frame(vertical=True), Frame(leftwards=True)]


@pytest.mark.parametrize("frame", FRAMES)
def test_edges_are_those_of_the_rectangle(frame):
    boxes = [LEVEL, *ODD]
    around = [placed_bounds(box, frame) for box in boxes]
    assert placed_edges(boxes, frame) == [(left, right) for left, _, right, _ in around]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("box", [LEVEL, *ODD])
def test_a_line_with_any_box_has_a_piece_around_it(box, frame):
    piece = piece_of(Line("a boat", box), frame)
    assert (piece.left, piece.top, piece.right, piece.bottom) == placed_bounds(box, frame)
    assert piece.size >= 1
