"""Boxes of lines without the paper around the ink."""

import pytest
from PIL import Image, ImageDraw

from ocrqueue.pages import Line, PageText, Word
from ocrqueue.states import Origin
from ocrqueue.structure.ink import without_paper


def rectangle(left, top, right, bottom):
    return (left, top), (right, top), (right, bottom), (left, bottom)


def page(box, origin=Origin.OCR):
    return PageText([Line("21 June", box, 0.9, words=(Word("21", box), Word("June", box)), origin=origin)])


def sketch(paper=255, ink=0):
    """A page of 400 x 100 pixels with ink from 60 to 140 across and 40 to 60 down."""
    image = Image.new("L", (400, 100), paper)
    ImageDraw.Draw(image).rectangle((60, 40, 139, 59), fill=ink)
    return image


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (20, 240), (200, 120)])
def test_a_box_ends_just_beyond_its_ink_whichever_is_darker(paper, ink):
    (line,) = without_paper(page(rectangle(30, 30, 200, 70)), sketch(paper, ink), 400).lines
    assert [round(x, 3) for point in line.box for x in point] == [56.8, 33.2, 143.2, 33.2, 143.2, 66.8, 56.8, 66.8]
    assert [word.box for word in line.words] == [line.box, line.box]


def test_boxes_may_refer_to_another_resolution_than_the_image():
    (line,) = without_paper(page(rectangle(15, 15, 100, 35)), sketch(), 200).lines
    assert (line.box[0][0], line.box[1][0]) == (28.4, 71.6)


def test_ink_of_a_neighbouring_row_does_not_hold_an_end():
    image = sketch()
    ImageDraw.Draw(image).rectangle((30, 30, 199, 32), fill=0)
    (line,) = without_paper(page(rectangle(30, 30, 200, 70)), image, 400).lines
    assert round(line.box[0][0], 3) == 56.8


@pytest.mark.parametrize(
    ("box", "origin"),
    [
        (rectangle(30, 30, 200, 70), Origin.TEXT_LAYER),
        (rectangle(60, 5, 100, 95), Origin.OCR),  # runs downwards
        (((30, 30), (200, 45), (200, 75), (30, 60)), Origin.OCR),  # rises
        (rectangle(200, 30, 390, 70), Origin.OCR),  # empty paper
        (rectangle(500, 30, 600, 70), Origin.OCR),  # beyond the image
    ],
)
def test_other_lines_stay_as_they_are(box, origin):
    before = page(box, origin)
    assert without_paper(before, sketch(), 400) == before
