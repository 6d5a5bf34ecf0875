"""The cells of a table with their places in its grid."""

import html
from bisect import bisect, bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ocrqueue.blocks import Cell
from ocrqueue.engines.mlx.markup.plain import inline
from ocrqueue.engines.mlx.markup.tables import table

_MOST_COLUMNS = 100  # of a table; more than any page has
_SPARSE, _SMALL = 20, 10_000  # a larger grid than the small one has at most so many places for each cell


def grid_of(rows: table.Rows) -> tuple[Cell, ...]:
    """The cells of a table, by row and column; each place belongs to one cell. Empty if the table has no sensible grid.

    Cells are placed as HTML does ("forming a table"), but a span ends where another cell or the table ends, and columns
    in which no cell begins are left out.
    """
    placed = list(_placed(rows))
    starts = sorted({cell.column for cell, _ in placed})
    if not any(cell.text for cell, _ in placed) or len(rows) * len(starts) > max(_SMALL, _SPARSE * len(placed)):
        return ()
    cells = []
    for cell, end in placed:
        column = bisect(starts, cell.column) - 1
        cells.append(replace(cell, column=column, column_span=bisect_left(starts, end) - column))
    return tuple(sorted([*cells, *_empty(cells, len(rows), len(starts))], key=lambda cell: (cell.row, cell.column)))


def _placed(rows: table.Rows) -> Iterator[tuple[Cell, int]]:
    """Each cell at its place, and the column after it."""
    free: list[int] = []  # for each column: the first row in which it is free
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            while column < len(free) and free[column] > number:
                column += 1
            if column >= _MOST_COLUMNS:
                break
            across = 1
            while across < cell.columns and column + across < _MOST_COLUMNS:
                if column + across < len(free) and free[column + across] > number:
                    break
                across += 1
            down = min(cell.rows, len(rows) - number)
            free += [0] * (column + across - len(free))
            free[column : column + across] = [number + down] * across
            text = _text(cell.text)
            yield Cell(number, column, down, is_header=cell.is_head, text=text), column + across
            column += across


def _empty(cells: Sequence[Cell], rows: int, columns: int) -> Iterator[Cell]:
    """An empty cell for each place that belongs to none."""
    taken = {
        (cell.row + down, cell.column + across)
        for cell in cells
        for down in range(cell.row_span)
        for across in range(cell.column_span)
    }
    return (Cell(r, c) for r in range(rows) for c in range(columns) if (r, c) not in taken)


def _text(raw: str) -> str:
    """The text of a cell, its lines separated by newlines."""
    lines = (" ".join(line.split()) for line in html.unescape(inline(raw)).split("\n"))
    return "\n".join(line for line in lines if line)
