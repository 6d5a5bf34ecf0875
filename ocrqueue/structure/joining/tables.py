"""Tables that go on over the end of a page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ocrqueue.blocks import Block, Cell
from ocrqueue.geometry import bounds
from ocrqueue.structure.words import key

_EDGE = 0.03  # share of the width of a table: its columns begin at the same places if they differ by less
_DIGITS = 0.5  # share of the cells of a row: with more digits in them it is no header


@dataclass(frozen=True, slots=True)
class Shape:
    """What a table on the next page is compared with."""

    columns: int
    lefts: tuple[float, ...]  # where columns begin, as shares of the table's width; empty if places are not known
    header: tuple[tuple[str, ...], ...]  # the texts of its header rows


def shape_of(table: Block) -> Shape:
    """The shape of a table that has cells."""
    header = tuple(tuple(key(cell.text) for cell in row) for row in _header_rows(table.cells))
    return Shape(_columns(table.cells), _lefts(table), header)


def going_on(table: Block, before: Shape) -> Block | None:
    """The table as it goes on from one with this shape, without repeated header rows. None if it is another table."""
    shape = shape_of(table)
    if shape.columns != before.columns:
        return None
    if any(map(any, shape.header)) and shape.header == before.header:  # its columns may be set anew for each page
        count = len(shape.header)
        rest = [replace(cell, row=cell.row - count) for cell in table.cells if cell.row >= count]
        return replace(table, cells=tuple(rest), continues=True) if rest else None
    has_places = bool(shape.lefts and before.lefts)
    if has_places and any(abs(a - b) > _EDGE for a, b in zip(shape.lefts, before.lefts, strict=True)):
        return None
    if not shape.header:
        return replace(table, continues=True) if has_places or before.header else None
    if has_places and before.header and len(shape.header) == 1 and _is_body(table.cells):
        return replace(table, cells=tuple(replace(cell, is_header=False) for cell in table.cells), continues=True)
    return None


def _columns(cells: Sequence[Cell]) -> int:
    return max(cell.column + cell.column_span for cell in cells)


def _lefts(table: Block) -> tuple[float, ...]:
    """Where the columns begin. The first column is not compared: it begins with the table."""
    if table.box is None:
        return ()
    left, _, right, _ = bounds(table.box)
    lefts: dict[int, float] = {}
    for cell in table.cells:
        if cell.box is not None:
            lefts[cell.column] = min(lefts.get(cell.column, right), bounds(cell.box)[0])
    if len(lefts) < _columns(table.cells):
        return ()
    return tuple((lefts[column] - left) / max(right - left, 1) for column in sorted(lefts))[1:]


def _header_rows(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The first rows, all of whose cells are headers."""
    rows: dict[int, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(cell)
    found = []
    for row in sorted(rows):
        if not all(cell.is_header for cell in rows[row]):
            break
        found.append(rows[row])
    return found if len(found) < len(rows) else []


def _is_body(cells: Sequence[Cell]) -> bool:
    """Whether the only header row looks like the rows below it: many of its cells have digits, as in a body."""
    first = [cell for cell in cells if cell.is_header]
    return sum(any(map(str.isdigit, cell.text)) for cell in first) >= _DIGITS * max(len(first), 1)
