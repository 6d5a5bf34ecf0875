"""The cells of a table, in rows, so that every place of its grid is in exactly one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ocrqueue.blocks import Cell
from ocrqueue.hyphens import join_lines


@dataclass(frozen=True, slots=True)
class Grid:
    """A table."""

    rows: list[list[Cell]]  # the cells that begin in each row, from left to right
    columns: int
    header_rows: int  # the first rows, whose cells are all headers and reach into no other row

    @property
    def is_plain(self) -> bool:
        """Whether no cell spans, and at most one row is a header."""
        cells = (cell for row in self.rows for cell in row)
        return self.header_rows < 2 and all(cell.row_span == cell.column_span == 1 for cell in cells)


def grid_of(cells: Sequence[Cell]) -> Grid:
    """The grid of some cells. Where no cell is, the grid has an empty one; a cell at a place that is taken is moved.

    Rows and columns in which no cell begins are left out.
    """
    row_at = _places({cell.row for cell in cells})
    column_at = _places({cell.column for cell in cells})
    taken = [0] * len(row_at)  # for each row a number whose bits are the columns that are taken
    rows: list[list[Cell]] = [[] for _ in row_at]
    for cell in sorted(cells, key=lambda cell: (cell.row, cell.column)):
        row, column = row_at[cell.row], column_at[cell.column]
        down = _span(row_at, cell.row, cell.row_span)
        across = _span(column_at, cell.column, cell.column_span)
        while taken[row] >> column & 1:
            column += 1
        mask = (1 << across) - 1 << column
        if any(taken[r] & mask for r in range(row, row + down)):
            down, across, mask = 1, 1, 1 << column
        for r in range(row, row + down):
            taken[r] |= mask
        placed = row, column, down, across
        if placed != (cell.row, cell.column, cell.row_span, cell.column_span):
            cell = replace(cell, row=row, column=column, row_span=down, column_span=across)  # noqa: PLW2901
        rows[row].append(cell)
    width = max((mask.bit_length() for mask in taken), default=0)
    for index, row_cells in enumerate(rows):
        row_cells += [Cell(index, column) for column in range(width) if not taken[index] >> column & 1]
        row_cells.sort(key=lambda cell: cell.column)
    return Grid(rows, width, _header_rows(rows))


def cell_lines(text: str) -> list[str]:
    """The lines of a cell. Lines between which a word is divided are one."""
    found: list[str] = []
    for line in filter(None, (" ".join(line.split()) for line in text.split("\n"))):
        joined = join_lines([found[-1], line]) if found else ""
        if found and joined != f"{found[-1]} {line}":
            found[-1] = joined
        else:
            found.append(line)
    return found


def _places(used: set[int]) -> dict[int, int]:
    return {number: place for place, number in enumerate(sorted(used))}


def _span(places: dict[int, int], first: int, span: int) -> int:
    """How many of the used rows or columns a span reaches over."""
    if span == 1:
        return 1
    return sum(first <= number < first + span for number in places)


def _header_rows(rows: Sequence[Sequence[Cell]]) -> int:
    count = 0
    while count < len(rows) and rows[count] and all(cell.is_header or not cell.text for cell in rows[count]):
        if not any(cell.is_header for cell in rows[count]):
            break
        count += 1
    if count == len(rows):
        return 0  # without a body there is no head
    reach = max((cell.row + cell.row_span for row in rows[:count] for cell in row), default=0)
    return count if reach <= count else 0
