"""What the layout models take for one table, and is several things; and paragraphs whose lines stay lines."""

import pytest

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.dividing import divided
from ocrqueue.structure.grids import grid_slots
from ocrqueue.structure.guesses import lines_apart
from ocrqueue.structure.models import Region
from ocrqueue.structure.parts import Part
from ocrqueue.structure.tables import filled
from ocrqueue.structure.texts import Piece, Text

ADDRESS = [(50, "Mr Peter Example"), (50, "12 Sample Street"), (50, "4020 Sampletown")]
DATA = [(350, "Invoice no."), (350, "Customer"), (350, "Date")], [(460, "118"), (460, "304"), (460, "3 May")]
HEAD = [[left, *right] for left, *right in zip(ADDRESS, *DATA, strict=True)]
ITEMS = [
    [(50, "Item"), (330, "Qty"), (390, "Price"), (460, "Amount")],
    [(50, "Garden hose"), (330, "1"), (390, "38.50"), (460, "38.50")],
    [(50, "Watering can"), (330, "2"), (390, "11.25"), (460, "22.50")],
]


def texts_at(top, rows, first=0):
    """Lines of 10 points in rows 15 points apart: each row has (left edge, text) pairs."""
    found = []
    for i, row in enumerate(rows):
        for left, text in row:
            box = (left, top + 15 * i, left + 5 * len(text), top + 15 * i + 10)
            found.append(Text(first + len(found), text, box, (Piece(text, box),), 10.0, None, is_even=False))
    return found


def table(texts, columns=()):
    box = union(text.box for text in texts)
    rows = tuple(range(int(box[1]) + 13, int(box[3]), 15))
    return Part(BlockKind.TABLE, texts, box, Region("table", box, (), rows, columns))


def described(parts):
    return [(part.kind, [text.text for text in part.texts]) for part in parts]


def test_the_address_and_the_data_above_the_items_are_no_rows_of_them():
    head = texts_at(0, HEAD)
    parts = divided([table([*head, *texts_at(100, ITEMS, len(head))], (228.0, 436.0))], ())
    assert described(parts) == [
        (BlockKind.PARAGRAPH, [text for _, text in ADDRESS]),
        (BlockKind.PARAGRAPH, ["Invoice no.", "118", "Customer", "304", "Date", "3 May"]),
        (BlockKind.TABLE, [text for row in ITEMS for _, text in row]),
    ]
    cells = filled(grid_slots(parts[2].region, parts[2].texts), parts[2].texts)
    assert [cell.text for cell in cells] == [
        text for row in ITEMS for _, text in row
    ]  # also where the models miss lines


@pytest.mark.parametrize("case", ["near", "same columns", "ruled"])
def test_other_tables_stay_whole(case):
    head = texts_at(0, ITEMS if case == "same columns" else HEAD)
    top = 50 if case == "near" else 100
    whole = table([*head, *texts_at(top, ITEMS, len(head))])
    frame = [(45.0, -5.0, 46.0, 150.0)] if case == "ruled" else []
    assert divided([whole], frame) == [whole]


def test_words_of_a_cell_are_not_parted_by_their_white():
    texts = texts_at(0, [[(50, "Item")], [(50, "Hose"), (73, "long")], [(50, "Rake"), (73, "wide")]])
    assert {slot.column for slot in grid_slots(table(texts).region, texts)} <= {0}


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([[row] for row in ADDRESS], [text for _, text in ADDRESS]),
        ([[(0, "Bacon"), (200, "4.90")], [(0, "and bread"), (200, "8.60")]], ["Bacon  4.90", "and bread  8.60"]),
        ([[(0, "Roses are red and grow by the wall")], [(0, "Violets are blue")]], []),
        ([[(0, "The harbour has been measured each month since the")], [(0, "old quay was rebuilt.")]], []),
        ([[(0, "Alone")]], []),
    ],
    ids=["address", "receipt", "full line", "running text", "one line"],
)
def test_lines_that_begin_anew_stay_lines(rows, lines):
    assert lines_apart(texts_at(0, rows)) == lines
