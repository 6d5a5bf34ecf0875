"""Lines to parts, their kinds, list items and order: pure geometry."""

import pytest

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.guesses import settled
from ocrqueue.structure.lists import bullets_among, list_items, set_depths
from ocrqueue.structure.models import Region
from ocrqueue.structure.order import in_order
from ocrqueue.structure.parts import Part, parts_of
from ocrqueue.structure.texts import Text


def line(index, text, left=50.0, top=100.0, width=200.0, size=10.0):
    return Text(index, text, (left, top, left + width, top + size), (), size, None, is_even=True)


def part(kind, *texts):
    return Part(kind, list(texts), union(text.box for text in texts))


def block(index, left, top, right, bottom, kind=BlockKind.PARAGRAPH):
    """A part of several lines; their boxes and indexes do not matter."""
    text = Text(index, str(index), (left, top, right, bottom), (), 10.0, None, True)
    return Part(kind, [text] * 3, (left, top, right, bottom))


# -- lines and regions ----------------------------------------------------------------------------------------------
def test_no_line_is_lost_or_twice():
    texts = [
        line(0, "in both", top=100),
        line(1, "in none", top=300),
        line(2, "below it", top=311),
        line(3, "far", top=700),
    ]
    regions = [Region("text", (0, 90, 400, 120)), Region("table", (0, 95, 400, 200))]
    parts = parts_of(texts, regions)
    assert sorted(text.index for found in parts for text in found.texts) == [0, 1, 2, 3]
    assert [[t.index for t in found.texts] for found in parts][1:] == [[1, 2], [3]]


def test_the_lines_of_a_region_decide_and_not_its_box():
    wide = Region("text", (0, 0, 500, 500), ((0, 0, 500, 12),))
    small = Region("section-header", (50, 100, 250, 110), ((50, 100, 250, 110),))
    (found,) = parts_of([line(0, "Heading")], [wide, small])
    assert found.kind is BlockKind.HEADING


def test_a_picture_behind_the_text_is_no_block():
    texts = [line(i, "the text of a receipt", top=100 + 20 * i) for i in range(5)]
    parts = parts_of(texts, [Region("picture", (0, 0, 600, 800))])
    assert {found.kind for found in parts} == {BlockKind.PARAGRAPH}
    assert sum(len(found.texts) for found in parts) == 5


def test_a_picture_without_text_is_a_block():
    (picture, _) = parts_of([line(0, "text", top=600)], [Region("picture", (0, 0, 600, 400))])
    assert picture.kind is BlockKind.PICTURE
    assert picture.texts == []


# -- known mistakes -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1 The only exception is August, when the boat was away.", BlockKind.FOOTNOTE),
        ("* Prices without tax, as of the first of May.", BlockKind.FOOTNOTE),
        ("Harbour board, annual report of the year 2025", BlockKind.PAGE_FOOTER),
        ("3", BlockKind.PAGE_FOOTER),
        ("Page 3 of 12", BlockKind.PAGE_FOOTER),
    ],
)
def test_a_note_that_the_models_take_for_a_foot(text, kind):
    (found,) = settled([part(BlockKind.PAGE_FOOTER, line(0, text))])
    assert found.kind is kind
    assert found.marker == (text[0] if kind is BlockKind.FOOTNOTE else None)


@pytest.mark.parametrize(
    ("text", "top", "kind"),
    [
        ("Table 2: Flow at 20 °C", 185, BlockKind.CAPTION),
        ("Abb. 3 Die Werkbank", 305, BlockKind.CAPTION),
        ("Tableau 1. Prêts en 2025", 185, BlockKind.CAPTION),
        ("Table 2 shows the flow.", 500, BlockKind.PARAGRAPH),  # far from the table
        ("Tables were laid out.", 185, BlockKind.PARAGRAPH),
    ],
)
def test_a_caption_that_the_models_take_for_text(text, top, kind):
    table = part(BlockKind.TABLE, line(1, "cells", top=200, size=100))
    found = settled([part(BlockKind.PARAGRAPH, line(0, text, top=top)), table])
    assert found[0].kind is kind


def test_lines_of_two_columns_in_one_region_are_parted():
    texts = [
        line(1, "subtitle", left=144, width=300),
        line(30, "of a", left=220, width=150, top=115),
        line(31, "column", left=220, width=150, top=130),
    ]
    assert [[t.index for t in p.texts] for p in settled([part(BlockKind.PARAGRAPH, *texts)])] == [[1], [30, 31]]


# -- lists ----------------------------------------------------------------------------------------------------------
def test_items_of_one_region_are_parted_by_their_markers():
    texts = [line(0, "• one that goes"), line(1, "on"), line(2, "• two"), line(3, "– three", left=70)]
    items = list_items(part(BlockKind.LIST_ITEM, *texts), [])
    assert [([t.index for t in item.texts], item.marker) for item in items] == [([0, 1], "•"), ([2], "•"), ([3], "–")]
    set_depths(items)
    assert [item.depth for item in items] == [1, 1, 2]


def test_a_bullet_that_was_read_as_a_blank_begins_an_item():
    texts = [line(0, "one that goes"), line(1, " on", left=62), line(2, " two"), line(3, "and on")]
    items = list_items(part(BlockKind.LIST_ITEM, *texts), [])
    assert [[t.index for t in item.texts] for item in items] == [[0, 1], [2, 3]]
    paragraph = part(BlockKind.PARAGRAPH, *texts)
    assert list_items(paragraph, []) == [paragraph]


def test_painted_bullets_make_items():
    bullets = bullets_among([(38, 103, 42, 107), (38, 123, 42, 127), (0, 0, 600, 1), (30, 100, 50, 120)])
    assert len(bullets) == 2
    texts = [line(0, "one", top=100), line(1, "two", top=120)]
    items = list_items(part(BlockKind.PARAGRAPH, *texts), bullets)
    assert [(item.kind, item.marker) for item in items] == [(BlockKind.LIST_ITEM, "•")] * 2


def test_depth_falls_back_and_begins_anew_after_text():
    items = [
        Part(BlockKind.LIST_ITEM, [line(i, "x")], (0, 0, 1, 1), None, "-", left)
        for i, left in enumerate((50, 70, 90, 70, 50))
    ]
    set_depths(items)
    assert [item.depth for item in items] == [1, 2, 3, 2, 1]
    after = [items[2], part(BlockKind.PARAGRAPH, line(9, "text")), items[1]]
    set_depths(after)
    assert items[1].depth == 1


def test_a_number_in_running_text_is_no_item():
    text = part(BlockKind.PARAGRAPH, line(0, "2. The second sentence"), line(1, "goes on."))
    assert list_items(text, []) == [text]


# -- order ----------------------------------------------------------------------------------------------------------
def indices(parts):
    return [found.first for found in in_order(parts)]


def test_columns_are_read_one_after_the_other():
    assert indices(
        [
            block(0, 50, 100, 250, 200),
            block(1, 300, 100, 500, 200),
            block(2, 50, 210, 250, 400),
            block(3, 300, 220, 500, 400),
        ]
    ) == [0, 2, 1, 3]


def test_a_wide_table_interrupts_columns():
    above = [block(0, 50, 100, 250, 190), block(1, 300, 100, 500, 190)]
    below = [block(3, 50, 310, 250, 400), block(4, 300, 310, 500, 400)]
    assert indices([*below, block(2, 50, 200, 500, 300, BlockKind.TABLE), *above]) == [0, 1, 2, 3, 4]


def test_an_address_at_the_right_is_no_column():
    assert indices([block(0, 400, 50, 500, 90), block(1, 50, 100, 200, 140), block(2, 50, 160, 500, 300)]) == [0, 1, 2]


def test_a_heading_above_a_column_stays_with_it():
    assert indices([block(0, 50, 100, 120, 110), block(1, 50, 120, 250, 300), block(2, 300, 120, 500, 300)]) == [
        0,
        1,
        2,
    ]


def test_heads_come_first_and_notes_and_feet_last():
    parts = [
        block(3, 50, 700, 500, 720, BlockKind.FOOTNOTE), block(4, 50, 800, 500, 810, BlockKind.PAGE_FOOTER),
        block(1, 50, 100, 250, 600), block(2, 300, 100, 500, 600), block(0, 300, 30, 500, 40, BlockKind.PAGE_HEADER),
    ]  # fmt: skip
    assert indices(parts) == [0, 1, 2, 3, 4]


def test_parts_that_no_cut_separates_follow_their_lines():
    assert indices([block(1, 50, 100, 300, 200), block(0, 250, 150, 500, 250), block(2, 40, 190, 270, 300)]) == [
        0,
        1,
        2,
    ]
