"""Grids of tables as cells: pure geometry."""

import pytest

from ocrqueue.structure.grids import grid_slots
from ocrqueue.structure.models import Region, Slot
from ocrqueue.structure.tables import filled, slots_of
from ocrqueue.structure.texts import Piece, Text

COLUMNS = (100.0, 200.0)  # the lines between three columns of a table that is 300 points wide
STEP = 20.0  # points between rows


def texts_of(*rows, step=STEP):
    """One line per cell: each row gives (left edge, text) pairs, and may give its height."""
    found = []
    for i, row in enumerate(rows):
        for left, text in row:
            found.append(line(len(found), left, i * step, text))
    return found


def line(index, left, top, text, is_even=False):
    """A line of 10 points, whose characters are 5 points wide."""
    words, x = [], left
    for word in text.split(" "):
        words.append(Piece(word, (x, top, x + 5 * len(word), top + 10)))
        x += 5 * len(word) + 3
    return Text(index, text, (left, top, x - 3, top + 10), tuple(words), 10.0, None, is_even)


def table(texts, rows=None, columns=COLUMNS, count=None):
    """The cells of a table: row, column, spans and text."""
    count = count or round(texts[-1].box[1] / STEP) + 1
    heights = tuple(i * STEP - 5 for i in range(1, count)) if rows is None else rows
    region = Region("table", (0, -5, 300, count * STEP), (), heights, columns)
    cells = filled(grid_slots(region, texts), texts)
    return [(c.slot.row, c.slot.column, c.slot.row_span, c.slot.column_span, c.text) for c in cells]


def test_each_cell_has_its_words():
    texts = texts_of([(5, "Name"), (105, "Place"), (205, "Year")], [(5, "Anna"), (105, "Ulm"), (205, "1999")])
    assert table(texts) == [
        (0, 0, 1, 1, "Name"), (0, 1, 1, 1, "Place"), (0, 2, 1, 1, "Year"),
        (1, 0, 1, 1, "Anna"), (1, 1, 1, 1, "Ulm"), (1, 2, 1, 1, "1999"),
    ]  # fmt: skip


def test_a_line_over_several_columns_is_cut():
    words = tuple(Piece(t, (x, 20, x + 20, 30)) for t, x in (("400", 60), ("2,2", 110), ("Frau", 205), ("Albers", 228)))
    row = Text(3, "400 2,2 Frau Albers", (60, 20, 250, 30), words, 10.0, None, is_even=False)
    texts = [*texts_of([(5, "Volt"), (105, "kW"), (205, "durch")]), row]
    assert [cell[-1] for cell in table(texts)][3:] == ["400", "2,2", "Frau Albers"]


def test_the_second_line_of_a_cell_is_no_row():
    texts = [
        *texts_of([(5, "Receipts"), (105, "Sum"), (205, "By")], [(5, "Fees"), (105, "12"), (205, "Tom")]),
        line(6, 5, 32, "and fines"),
        line(7, 5, 52, "Gifts"), line(8, 105, 52, "9"), line(9, 205, 52, "Eve"),
    ]  # fmt: skip
    cells = table(texts, rows=(15.0, 31.0, 47.0), count=3)
    assert [cell[-1] for cell in cells] == [
        "Receipts",
        "Sum",
        "By",
        "Fees\nand fines",
        "12",
        "Tom",
        "Gifts",
        "9",
        "Eve",
    ]


def test_a_row_with_empty_cells_stays_a_row():
    texts = texts_of(
        [(5, "a"), (105, "b"), (205, "c")], [(5, "d"), (105, "e"), (205, "f")], [(5, "g")], [(5, "h"), (105, "i")]
    )
    assert len({cell[0] for cell in table(texts)}) == 4


def test_headers_over_several_columns():
    texts = texts_of(
        [(5, "Kind"), (170, "Loans in all")], [(105, "old"), (205, "new")], [(5, "x"), (105, "1"), (205, "2")]
    )
    assert table(texts)[:4] == [
        (0, 0, 2, 1, "Kind"), (0, 1, 1, 2, "Loans in all"), (1, 1, 1, 1, "old"), (1, 2, 1, 1, "new"),
    ]  # fmt: skip


def test_a_header_that_crosses_no_line_takes_the_empty_column_beside_it():
    texts = texts_of([(5, "Kind"), (105, "Loans")], [(105, "old"), (205, "new")], [(5, "x"), (105, "1"), (205, "2")])
    assert table(texts)[:2] == [(0, 0, 2, 1, "Kind"), (0, 1, 1, 2, "Loans")]


def test_a_single_cell_at_the_left_fills_its_row():
    texts = texts_of([(5, "a"), (105, "b"), (205, "c")], [(5, "Adults")], [(5, "d"), (105, "1"), (205, "2")])
    assert (1, 0, 1, 3, "Adults") in table(texts)


def test_a_single_cell_among_rows_with_values_is_a_row_without_values():
    texts = texts_of(
        [(5, "a"), (105, "b"), (205, "c")], [(5, "Italy"), (105, "1"), (205, "2")], [(5, "Greece")],
        [(5, "Spain"), (105, "3")],
    )  # fmt: skip
    assert (2, 0, 1, 1, "Greece") in table(texts)


def test_a_name_in_two_lines_is_one_cell_though_all_lines_are_equally_far_apart():
    texts = texts_of(
        [(5, "Plant"), (105, "b"), (205, "c")], [(5, "Luzula"), (105, "1"), (205, "2")], [(5, "campestris")],
        [(5, "Viola"), (105, "3"), (205, "4")],
        step=15,
    )  # fmt: skip
    assert (1, 0, 1, 1, "Luzula\ncampestris") in table(texts, rows=(11.0, 26.0, 41.0), count=3)


def test_a_header_in_two_lines_beside_a_spanning_one_is_one_cell():
    texts = texts_of(
        [(5, "Name of"), (170, "Loans in all")], [(5, "kind"), (105, "old"), (205, "new")],
        [(5, "x"), (105, "1"), (205, "2")],
    )  # fmt: skip
    assert table(texts)[0] == (0, 0, 2, 1, "Name of\nkind")


def test_a_header_over_two_columns_one_of_which_is_empty_is_followed_by_the_body():
    texts = texts_of([(5, "Who"), (170, "Quite healthy")], [(5, "Male"), (205, "102")], [(5, "Female"), (205, "9")])
    slots = grid_slots(Region("table", (0, -5, 300, 60), (), (15.0, 35.0), COLUMNS), texts)
    assert {slot.row for slot in slots if slot.is_header} == {0}


def test_headers_in_the_middle_of_what_they_span_do_not_take_columns_of_each_other():
    lines = [50.0 * i for i in range(1, 9)]
    names = [(52 + 50 * i, "Men" if i % 2 else "All") for i in range(8)]
    texts = texts_of(
        [(130, "Finland"), (328, "Sweden")], [(5, "Year"), *names], [(5, "1999"), *((x, "1") for x, _ in names)]
    )
    region = Region("table", (0, -5, 450, 60), (), (15.0, 35.0), tuple(lines))
    wide = [(slot.column, slot.column_span) for slot in grid_slots(region, texts) if slot.column_span > 1]
    assert wide == [(1, 4), (5, 4)]


def test_words_in_proportion_span_nothing():
    texts = [
        *texts_of([(5, "a"), (105, "b"), (205, "c")]),
        line(3, 60, 20, "400 2,2 Frau Albers Moritz Anton", is_even=True),
    ]
    assert {cell[3] for cell in table(texts)} == {1}


@pytest.mark.parametrize("region", [Region("table", (0, 0, 9, 9)), Region("table", (0, 0, 9, 9), (), (5.0,), (5.0,))])
def test_no_grid_or_no_text_gives_no_cells(region):
    assert grid_slots(region, texts_of([(5, "a")]) if not region.rows else []) == []


# -- which grid -----------------------------------------------------------------------------------------------------
TWO_LINES = [
    *texts_of([(5, "Part"), (105, "Look"), (205, "Do")], [(5, "Chain"), (105, "It is dry,"), (205, "Wipe it,")]),
    line(6, 105, 32, "or loud."), line(7, 205, 32, "then oil it."),
    line(8, 5, 52, "Spoke"), line(9, 105, 52, "dull"), line(10, 205, 52, "turn"),
]  # fmt: skip
OWN = Region("table", (0, -5, 300, 65), (), (15.0, 47.0), COLUMNS)
FOUND = [
    Slot(i, j, 1, 1, (j * 100, top, j * 100 + 100, bottom), False)
    for i, (top, bottom) in enumerate([(-5, 15), (15, 31), (31, 47), (47, 65)])
    for j in range(3)
]


def test_rows_that_begin_with_an_empty_cell_are_lines_of_the_row_above():
    assert max(slot.row for slot in slots_of(OWN, TWO_LINES, [FOUND], [])) == 2


def test_ruled_rows_are_rows():
    rules = [(0, y, 300, y + 0.5) for y in (-5, 15, 31, 47, 65)]
    assert slots_of(OWN, TWO_LINES, [FOUND], rules) is FOUND


def test_a_phrase_over_columns_of_an_unruled_table_is_not_cut():
    texts = texts_of(
        [(5, "a"), (105, "b"), (205, "c")], [(60, "Not measured before")], [(5, "d"), (105, "1"), (205, "2")]
    )
    region = Region("table", (0, -5, 300, 55), (), (15.0, 35.0), COLUMNS)
    found = [
        Slot(i, j, 1, 1, (j * 100, i * 20 - 5, j * 100 + 100, i * 20 + 15), False) for i in range(3) for j in range(3)
    ]
    assert any(slot.column_span > 1 for slot in slots_of(region, texts, [found], []))


def test_cells_over_several_rows_of_the_body_are_kept():
    tall = [Slot(0, 0, 2, 1, (0, -5, 100, 31), False), *FOUND[1:3], *FOUND[4:]]
    assert slots_of(OWN, TWO_LINES, [tall], []) is tall


def test_a_table_elsewhere_is_not_taken():
    elsewhere = [Slot(0, 0, 1, 1, (0, 400, 300, 500), False)]
    assert slots_of(OWN, TWO_LINES, [elsewhere], []) != elsewhere
