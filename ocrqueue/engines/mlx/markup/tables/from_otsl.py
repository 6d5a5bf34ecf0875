"""Reads tables in OTSL (Lysak and others, 2023), as Granite-Docling and PaddleOCR-VL write them.

`<fcel>` is a cell, `<ecel>` an empty cell, `<ched>`, `<rhed>` and `<srow>` are heads, `<lcel>` continues the cell to
the left, `<ucel>` the one above, `<xcel>` the one to the left and above; `<nl>` ends a row.
"""

import re
from dataclasses import replace

from ocrqueue.engines.mlx.markup.tables.table import Cell, Rows, as_markdown

_TAG = re.compile(r"<(fcel|ecel|lcel|ucel|xcel|ched|rhed|srow|nl)>")
_HEADS = ("ched", "rhed", "srow")
_OWNER = {"lcel": (0, -1), "ucel": (-1, 0), "xcel": (-1, -1)}  # steps in rows and columns to the cell that goes on
_Place = tuple[int, int]  # row and column, from 0


def has_otsl(content: str) -> bool:
    """Whether a text contains a cell in OTSL."""
    return _TAG.search(content) is not None


def without_tags(content: str) -> str:
    """A text with a blank in place of each tag of OTSL."""
    return _TAG.sub(" ", content)


def with_tables(content: str) -> str:
    """Markdown in which a table in OTSL is Markdown, too."""
    before, rows, after = read_otsl(content)
    return joined(before, as_markdown(rows), after)


def joined(*parts: str) -> str:
    """Parts of Markdown with an empty line between them."""
    return "\n\n".join(part.strip() for part in parts if part.strip())


def read_otsl(content: str) -> tuple[str, Rows, str]:
    """The text before a table, its rows, and the text after its last row."""
    pieces = _TAG.split(content)  # text, tag, text, tag, text ...
    rows: list[list[tuple[str, str]]] = [[]]  # (tag, text) of each place
    after = ""
    for tag, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if after.strip():  # text between two rows
            rows[-1:] = [[("fcel", after.strip())], []]
        after = ""
        if tag == "nl":
            rows.append([])
            after = text
        else:
            rows[-1].append((tag, text.strip()))
    return pieces[0], _spanned([row for row in rows if row]), after


def _spanned(grid: list[list[tuple[str, str]]]) -> Rows:
    """The cells of a table. A tag that continues no cell is an empty cell; one with a text is a cell of its own."""
    owners: dict[_Place, _Place] = {}  # of each place: the place where its cell begins
    areas: dict[_Place, list[_Place]] = {}  # of each cell: its places
    for y, row in enumerate(grid):
        for x, (tag, text) in enumerate(row):
            down, right = _OWNER.get(tag, (0, 0))
            owner = (y, x) if text else owners.get((y + down, x + right), (y, x))
            owners[y, x] = owner
            areas.setdefault(owner, []).append((y, x))
    cells: dict[_Place, Cell] = {}
    for (y, x), area in areas.items():
        tag, text = grid[y][x]
        cell = Cell(text, is_head=tag in _HEADS)
        rows, columns = max(place[0] for place in area) - y + 1, max(place[1] for place in area) - x + 1
        if rows * columns == len(area):
            cells[y, x] = replace(cell, rows=rows, columns=columns)
        else:  # not a rectangle
            cells |= dict.fromkeys(area, Cell("")) | {(y, x): cell}
    return [[cells[y, x] for x in range(len(row)) if (y, x) in cells] for y, row in enumerate(grid)]
