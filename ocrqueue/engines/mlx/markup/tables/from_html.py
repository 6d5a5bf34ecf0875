"""Reads tables in HTML and in Markdown: their cells, and their plain text.

A parser of HTML would take words such as `vector<int>` for tags, so only the tags of tables are looked for. Cut tables
are read too.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import replace

from ocrqueue.engines.mlx.markup.tables.table import Cell, Rows, as_text

# Attributes of a tag, up to its end. Words that only look like a tag ("a <b and c>") have none.
ATTRIBUTES = r"""((?:\s+[\w-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>/]+))*)\s*/?>"""
_TAG = re.compile(rf"(?i)(?<!\\)<(/?)(table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col){ATTRIBUTES}")
_CUT_TAG = re.compile(
    r"""(?i)</?(?:t(?:[adrh]|ab|abl|able|he|hea|head|bo|bod|body|fo|foo|foot)?(?:\s[a-z]*(?:=["']?\d*["']?)?)?)?\Z"""
)
_SPAN = re.compile(r"""(?i)\b(col|row)span\s*=\s*["']?(\d{1,4})""")
_SEPARATOR = re.compile(r" {0,3}\|(?: *:?-+:? *\|)+ *")  # below the head of a table with pipes
_OPEN_SEPARATOR = re.compile(r" {0,3}:?-+:?(?: *\| *:?-+:?)+ *")  # the same of a table without pipes at its sides
_PIPE = re.compile(r"(?<!\\)\|")


class _Reader:
    """Takes texts and tags in order. `parts` are the texts outside of tables, and the rows of the tables."""

    def __init__(self) -> None:
        self.parts: list[str | Rows] = []
        self._depth = 0  # of tables in tables; the text of an inner table belongs to the cell around it
        self._rows: list[list[Cell]] = []
        self._row: list[Cell] = []
        self._cell: list[str] | None = None  # the texts of the open cell
        self._spans: dict[str, int] = {}  # of the open cell: "col" and "row"
        self._is_head = self._in_head = False  # whether the open cell is a head; whether the rows are

    def text(self, text: str) -> None:
        if self._depth and self._cell is None and "\n\n" in text.rstrip():
            self._end_table()  # the table was never closed
        if not self._depth:
            self.parts.append(text)
        elif self._cell is not None:
            self._cell.append(text)
        elif text.strip():  # such as a caption
            self._end_row()
            self._rows.append([Cell(text, is_caption=True)])

    def tag(self, closes: bool, name: str, attributes: str) -> None:
        if self._depth > 1 or (self._cell is not None and name == "table" and not closes):
            self._depth += (-1 if closes else 1) if name == "table" else 0
            if self._cell is not None:
                self._cell.append(" ")
        elif name == "table" and closes:
            self._end_table()
        elif self._depth or not closes:
            self._depth = 1
            self._end_cell()
            if name == "thead":
                self._in_head = not closes
            if name in ("td", "th") and not closes:
                self._cell, self._is_head = [], self._in_head or name == "th"
                self._spans = {kind.lower(): max(1, int(count)) for kind, count in _SPAN.findall(attributes)}
            elif name not in ("td", "th"):
                self._end_row()

    def end(self, text: str) -> None:
        """Take the text after the last tag. Another tag may be cut at its end."""
        self.text(_CUT_TAG.sub("", text) if self._depth else text)
        self._end_table()

    def _end_cell(self) -> None:
        if self._cell is not None:
            spans = self._spans
            self._row.append(Cell("".join(self._cell), spans.get("col", 1), spans.get("row", 1), self._is_head))
        self._cell = None

    def _end_row(self) -> None:
        self._end_cell()
        if self._row:
            self._rows.append(self._row)
        self._row = []

    def _end_table(self) -> None:
        self._end_row()
        if self._rows:
            self.parts.append(self._rows)
        self._rows, self._depth, self._in_head = [], 0, False


def with_closed_tables(content: str) -> str:
    """A text in which each table of HTML is closed, so that what follows the page is no part of it."""
    opened = 0
    for found in _TAG.finditer(content):
        if found[2].lower() == "table":
            opened = max(0, opened + (-1 if found[1] else 1))
    return _CUT_TAG.sub("", content) + "</table>" * opened if opened else content


def html_tables(content: str) -> list[str | Rows]:
    """The parts of a text in their order: tables of HTML, and the texts around them. One may be cut.

    The texts of cells are Markdown or HTML, as they stand there.
    """
    reader, end = _Reader(), 0
    for found in _TAG.finditer(content):
        reader.text(content[end : found.start()])
        reader.tag(bool(found[1]), found[2].lower(), found[3])
        end = found.end()
    reader.end(content[end:])
    return reader.parts


def html_tables_as_text(content: str) -> str:
    """A text in which tables of HTML are plain text, on lines of their own."""
    pieces: list[str] = []
    is_after_table = False
    for part in html_tables(content):
        is_table = not isinstance(part, str)
        text = part if isinstance(part, str) else as_text(_unescaped(part))
        is_apart = (is_table or is_after_table) and text and pieces
        if is_apart and not (text.startswith("\n") or pieces[-1].endswith("\n")):
            pieces.append("\n")
        if text:
            pieces.append(text)
            is_after_table = is_table
    return "".join(pieces)


def pipe_tables(content: str) -> Iterator[str | Rows]:
    """The parts of a text in their order: tables of Markdown, and the texts around them. Cells are Markdown."""
    texts: list[str] = []
    rows: list[list[Cell]] = []
    is_open = False  # whether the table has no pipes at its sides
    lines = content.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_head = not rows and _is_head(line, following)
        if is_head:
            is_open = not line.lstrip().startswith("|")
            yield "\n".join(texts)
            texts = []
        elif rows and _is_separator(line):
            continue
        if is_head or (rows and ("|" in line if is_open else line.lstrip().startswith("|"))):
            rows.append([Cell(text.replace(r"\|", "|").strip(), is_head=is_head) for text in _texts(line)])
            continue
        if rows:
            yield rows
            rows = []
        texts.append(line)
    yield rows or "\n".join(texts)


def _is_head(line: str, following: str) -> bool:
    """Whether a table of Markdown begins with a line, says the line after it."""
    if line.lstrip().startswith("|"):
        return bool(_SEPARATOR.fullmatch(following)) and not _SEPARATOR.fullmatch(line)
    return bool(_OPEN_SEPARATOR.fullmatch(following)) and len(_texts(line)) == len(_texts(following))


def _is_separator(line: str) -> bool:
    return bool(_SEPARATOR.fullmatch(line) or _OPEN_SEPARATOR.fullmatch(line))


def pipe_tables_as_text(content: str) -> str:
    """A text in which tables of Markdown are plain text. A table has a line of dashes below its first row."""
    lines = content.split("\n")
    kept: list[str] = []
    is_table = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_row = line.lstrip().startswith("|")
        if is_row and _SEPARATOR.fullmatch(line):
            continue
        is_table = is_row and (is_table or bool(_SEPARATOR.fullmatch(following)))
        kept.append(
            as_text(_unescaped([[Cell(text.replace(r"\|", "|")) for text in _texts(line)]])) if is_table else line
        )
    return "\n".join(kept)


def _unescaped(rows: Rows) -> Rows:
    return [[replace(cell, text=html.unescape(cell.text)) for cell in row] for row in rows]


def _texts(row: str) -> list[str]:
    """The cells of a row between pipes; that before the first cell and that after the last one may be missing."""
    texts = _PIPE.split(row.strip().removeprefix("|"))
    return texts[:-1] if texts and not texts[-1].strip() else texts
