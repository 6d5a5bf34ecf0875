"""A table as HTML, for the formats HTML and Markdown: without empty lines, which would end it in Markdown."""

from collections.abc import Iterator
from html import escape

from ocrqueue.blocks import Cell
from ocrqueue.formats.structured.grid import Grid, cell_lines
from ocrqueue.pages import is_right_to_left


def html_table(grid: Grid) -> Iterator[str]:
    """The lines of the table's HTML."""
    yield "<table>"
    if grid.header_rows:
        yield "<thead>"
        yield from (_row(row, is_head=True) for row in grid.rows[: grid.header_rows])
        yield "</thead>"
    yield "<tbody>"
    yield from (_row(row, is_head=False) for row in grid.rows[grid.header_rows :])
    yield "</tbody>"
    yield "</table>"


def _row(row: list[Cell], is_head: bool) -> str:
    return f"<tr>{''.join(_cell(cell, is_head) for cell in row)}</tr>"


def _cell(cell: Cell, is_head: bool) -> str:
    about = ""
    if cell.is_header:
        about = f' scope="{"col" if is_head else "row"}"'
    if cell.row_span > 1:
        about += f' rowspan="{cell.row_span}"'
    if cell.column_span > 1:
        about += f' colspan="{cell.column_span}"'
    if is_right_to_left(cell.text):
        about += ' dir="rtl"'
    name = "th" if cell.is_header else "td"
    return f"<{name}{about}>{'<br>'.join(escape(line) for line in cell_lines(cell.text))}</{name}>"
