"""A table, and how it is written."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TAG_BEGIN = re.compile(r"<(?=[A-Za-z/!?])")
_MOST_COLUMNS = 100  # of a table that are kept in line in plain text; larger spans are longer than any page is wide


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str  # each newline is a line break in the cell
    columns: int = 1  # number of columns that it spans
    rows: int = 1  # number of rows that it spans
    is_head: bool = False  # names the cells of its row or column
    is_caption: bool = False  # no cell, but a text between the cells: a caption


Rows = Sequence[Sequence[Cell]]  # from the top; a place that a cell of another place spans has no cell


def as_html(rows: Rows) -> str:
    """A table as HTML with a line for each row. The text of cells is escaped, so that nothing in it becomes a tag."""
    if not rows:
        return ""
    return "\n".join(["<table>", *(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in rows), "</table>"])


def _html_cell(cell: Cell) -> str:
    tag = "th" if cell.is_head else "td"
    spans = "".join(
        f' {name}="{count}"' for name, count in (("rowspan", cell.rows), ("colspan", cell.columns)) if count > 1
    )
    return f"<{tag}{spans}>{'<br>'.join(html.escape(line, quote=False) for line in _lines(cell))}</{tag}>"


def as_markdown(rows: Rows) -> str:
    """A table as Markdown: with pipes and its first row as the head, or as HTML if a cell spans others."""
    if any(cell.columns > 1 or cell.rows > 1 for row in rows for cell in row):
        return as_html(rows)
    lines = ["| " + " | ".join(map(_pipe_cell, row)) + " |" for row in rows]
    if not lines:
        return ""
    width = max(map(len, rows))
    lines[0] += "  |" * (width - len(rows[0]))  # Markdown wants a head as wide as the table
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _pipe_cell(cell: Cell) -> str:
    return "<br>".join(map(literal, _lines(cell))).replace("|", r"\|")


def literal(text: str) -> str:
    r"""Plain text as Markdown in which no tag of HTML begins: `\<` stands for `<`."""
    return _TAG_BEGIN.sub(r"\\<", text)


def _lines(cell: Cell) -> list[str]:
    return [" ".join(line.split()) for line in cell.text.split("\n") if line.strip()]


def as_text(rows: Rows) -> str:
    """A table as plain text: a line for each row, a tab between cells. A spanned place is empty."""
    lines = []
    below: dict[int, int] = {}  # rows that a cell further up still spans, by column
    for row in rows:
        taken, below = below, {column: count - 1 for column, count in below.items() if count > 1}
        line: list[str] = []
        for cell in row:
            while len(line) in taken:
                line.append("")
            columns = min(cell.columns, _MOST_COLUMNS)
            if cell.rows > 1:
                last = min(len(line) + columns, _MOST_COLUMNS)
                below |= dict.fromkeys(range(len(line), last), cell.rows - 1)
            line += [" ".join(cell.text.split())] + [""] * (columns - 1)
        lines.append("\t".join(line).rstrip("\t"))
    return "\n".join(line for line in lines if line)
