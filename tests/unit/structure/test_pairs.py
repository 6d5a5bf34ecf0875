"""Small tables of two columns, which the layout models take for list items or a paragraph."""

from dataclasses import replace

import pytest

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.grids import grid_slots
from ocrqueue.structure.parts import Part
from ocrqueue.structure.tables import filled
from ocrqueue.structure.texts import Piece, Text
from ocrqueue.structure.unseen.pairs import with_pairs

DATES = [("5 April", "Plant swap"), ("9 May", "No water"), ("21 June", "Open day")]


def part(kind, rows, left=0.0, top=0.0):
    """A part with lines of 10 points: rows of texts, the second column 60 points from the first."""
    texts = []
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            x, y = left + 60 * j, top + 20 * i
            box = (x, y, x + 5 * len(text), y + 10)
            texts.append(Text(len(texts), text, box, (Piece(text, box),), 10.0, None, is_even=False))
    return Part(kind, texts, union(text.box for text in texts))


def never(_):
    return False


def kinds(*parts, is_marked=never):
    return [found.kind for found in with_pairs(parts, is_marked)]


@pytest.mark.parametrize("kind", [BlockKind.LIST_ITEM, BlockKind.PARAGRAPH])
def test_lines_in_two_columns_are_a_table_without_header(kind):
    (table,) = with_pairs([part(kind, DATES)], never)
    assert table.kind is BlockKind.TABLE
    slots = grid_slots(table.region, table.texts)
    assert not any(slot.is_header for slot in slots)
    assert [cell.text for cell in filled(slots, table.texts)] == [text for row in DATES for text in row]


def test_list_items_beside_each_other_are_one_table():
    parts = [part(BlockKind.LIST_ITEM, [row], top=20 * i) for i, row in enumerate(DATES)]
    assert kinds(*parts) == [BlockKind.TABLE]


def test_lists_side_by_side_stay_lists():
    one = part(BlockKind.LIST_ITEM, [["beans"], ["marrows"], ["marigolds"]])
    other = part(BlockKind.LIST_ITEM, [["beetroot"], ["parsley"], ["sunflowers"]], left=120)
    assert kinds(one, other) == [BlockKind.LIST_ITEM] * 2


def test_items_with_markers_stay_items():
    assert kinds(part(BlockKind.LIST_ITEM, DATES), is_marked=lambda text: text.index == 0) == [BlockKind.LIST_ITEM]


def test_a_column_of_markers_is_a_list():
    rows = [("•", "higher levels"), ("•", "lower levels"), ("(iv)", "no levels")]
    assert kinds(part(BlockKind.LIST_ITEM, rows)) == [BlockKind.LIST_ITEM]


def test_two_columns_of_running_text_are_no_table():
    rows = [("which the meter of the house is", "found by")] * 3
    assert kinds(part(BlockKind.PARAGRAPH, rows)) == [BlockKind.PARAGRAPH]


def test_cells_that_begin_at_other_places_are_no_table():
    parts = [part(BlockKind.PARAGRAPH, DATES)]
    text = parts[0].texts[3]
    shifted = (text.box[0] + 9, *text.box[1:])
    parts[0].texts[3] = Text(text.index, text.text, shifted, text.words, 10.0, None, is_even=False)
    assert kinds(*parts) == [BlockKind.PARAGRAPH]


def test_lines_that_lie_one_upon_the_other_are_no_table():
    """Two pages that lie askew on one scan have such lines. They made an exception, and the page lost its structure."""
    rows = part(BlockKind.PARAGRAPH, DATES)
    texts = [replace(text, box=(text.box[0] % 60 / 20, *text.box[1:])) for text in rows.texts]
    assert with_pairs([Part(BlockKind.PARAGRAPH, texts, rows.box)], never)[0].kind is BlockKind.PARAGRAPH
