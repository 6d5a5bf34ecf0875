"""The order of the parts of a page, beside the order in which its lines are read."""

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.guesses import settled
from ocrqueue.structure.order import in_order
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text

SIZE = 10.0


def part(left, top, width, *lines, kind=BlockKind.PARAGRAPH, is_bold=None):
    """A part whose lines have these indices. Without `is_bold`, its lines were read by OCR."""
    texts = []
    for row, index in enumerate(lines):
        y = top + 12 * row
        texts.append(Text(index, f"line {index}", (left, y, left + width, y + SIZE), (), SIZE, is_bold, False))
    return Part(kind, texts, union(text.box for text in texts))


def order(*parts):
    return [text.index for part in in_order(parts[::-1]) for text in part.texts]


def test_columns_whose_boxes_nearly_touch():
    """Paragraphs of both columns end at different heights, so no line crosses the page between them."""
    left = part(50, 100, 200, 0, 1, 2), part(50, 140, 201, 3, 4, 5)
    right = part(252, 100, 200, 6, 7, 8, 9), part(252, 152, 200, 10, 11)
    assert order(*left, *right) == list(range(12))


def test_columns_of_a_receipt_are_read_row_by_row():
    names = [part(50, 100 + 20 * i, 60, 2 * i) for i in range(4)]
    prices = [part(300, 100 + 20 * i, 40, 2 * i + 1) for i in range(4)]
    assert order(*names, *prices) == list(range(8))


def test_columns_of_text_are_read_one_after_the_other_though_their_lines_are_read_in_rows():
    left = part(50, 100, 200, 0, 2, 4), part(50, 150, 200, 6, 8, 10)
    right = part(280, 100, 200, 1, 3, 5), part(280, 150, 200, 7, 9, 11)
    assert order(*left, *right) == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]


def test_a_heading_below_the_left_column_belongs_to_what_follows_both():
    columns = part(50, 100, 200, 0, 1, 2), part(280, 100, 200, 3, 4, 5)
    heading = part(50, 150, 120, 6, kind=BlockKind.HEADING)
    below = part(50, 180, 430, 7, 8)
    assert order(*columns, heading, below) == list(range(9))


def test_a_heading_in_a_column_stays_in_it():
    left = part(50, 100, 200, 0, 1, 2), part(50, 150, 120, 3, kind=BlockKind.HEADING), part(50, 180, 200, 4, 5)
    right = part(280, 100, 200, 6, 7, 8), part(280, 180, 200, 9, 10)
    assert order(*left, *right) == list(range(11))


def test_short_lines_of_different_rows_are_parts_of_their_own():
    (names, prices) = part(50, 100, 60, 0, 2, 4), part(300, 100, 40, 1, 3, 5, kind=BlockKind.FORMULA)
    assert order(*settled([names, prices])) == list(range(6))


def test_a_running_foot_of_lines_that_are_not_read_together_is_divided():
    foot = part(50, 800, 90, 5, 7, kind=BlockKind.PAGE_FOOTER)
    other = part(300, 805, 200, 6, kind=BlockKind.PAGE_FOOTER)
    assert order(*settled([foot, other])) == [5, 6, 7]
