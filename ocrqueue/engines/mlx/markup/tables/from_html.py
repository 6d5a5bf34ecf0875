"""Reads tables in HTML and in Markdown, for their plain text.

A parser of HTML would take words such as `vector<int>` for tags, so only the tags of tables are looked for. Cut tables
are read too.
"""

import html
import re

from ocrqueue.engines.mlx.markup.tables.table import Cell, as_text

# Attributes of a tag, up to its end. Words that only look like a tag ("a <b and c>") have none.
ATTRIBUTES = r"""((?:\s++[\w-]++\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>/]++))*+)\s*+/?>"""
_TAG = re.compile(rf"(?i)(?<!\\)<(/?)(table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col){ATTRIBUTES}")
_CUT_TAG = re.compile(
    r"""(?i)</?(?:t(?:[adrh]|ab|abl|able|he|hea|head|bo|bod|body|fo|foo|foot)?(?:\s[a-z]*(?:=["']?\d*["']?)?)?)?\Z"""
)
_SPAN = re.compile(r"""(?i)\b(col|row)span\s*=\s*["']?(\d{1,4})""")
_SEPARATOR = re.compile(r" {0,3}\|(?: *:?-+:? *\|)+ *")  # below the head of a table with pipes
_PIPE = re.compile(r"(?<!\\)\|")


class _Reader:
    """Takes texts and tags in order. `pieces` is the text without the tags, with tables as plain text."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._depth = 0  # of tables in tables; the text of an inner table belongs to the cell around it
        self._rows: list[list[Cell]] = []
        self._row: list[Cell] = []
        self._cell: list[str] | None = None  # the texts of the open cell
        self._spans: dict[str, int] = {}  # of the open cell: "col" and "row"
        self._is_after_table = False

    def text(self, text: str) -> None:
        if self._depth and self._cell is None and "\n\n" in text.rstrip():
            self._end_table()  # the table was never closed
        if not self._depth:
            self._add(text)
        elif self._cell is not None:
            self._cell.append(text)
        elif text.strip():  # such as a caption
            self._end_row()
            self._rows.append([_cell(text)])

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
            if name in ("td", "th") and not closes:
                self._cell = []
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
            self._row.append(_cell("".join(self._cell), spans.get("col", 1), spans.get("row", 1)))
        self._cell = None

    def _end_row(self) -> None:
        self._end_cell()
        if self._row:
            self._rows.append(self._row)
        self._row = []

    def _end_table(self) -> None:
        self._end_row()
        if self._rows:
            self._add(as_text(self._rows))
            self._is_after_table = True
        self._rows, self._depth = [], 0

    def _add(self, text: str) -> None:
        """Add a text without tables, or a table, which begins and ends a line."""
        is_apart = self._is_after_table or bool(self._rows)
        if is_apart and text and self.pieces and not (text.startswith("\n") or self.pieces[-1].endswith("\n")):
            self.pieces.append("\n")
        if text:
            self.pieces.append(text)
            self._is_after_table = False


def _cell(text: str, columns: int = 1, rows: int = 1) -> Cell:
    return Cell(html.unescape(text), columns, rows)


def with_closed_tables(content: str) -> str:
    """A text in which each table of HTML is closed, so that what follows the page is no part of it."""
    opened = 0
    for found in _TAG.finditer(content):
        if found[2].lower() == "table":
            opened = max(0, opened + (-1 if found[1] else 1))
    return _CUT_TAG.sub("", content) + "</table>" * opened if opened else content


def html_tables_as_text(content: str) -> str:
    """A text in which tables of HTML are plain text, on lines of their own."""
    reader, end = _Reader(), 0
    for found in _TAG.finditer(content):
        reader.text(content[end : found.start()])
        reader.tag(bool(found[1]), found[2].lower(), found[3])
        end = found.end()
    reader.end(content[end:])
    return "".join(reader.pieces)


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
        kept.append(as_text([[_cell(text.replace(r"\|", "|")) for text in _texts(line)]]) if is_table else line)
    return "\n".join(kept)


def _texts(row: str) -> list[str]:
    """The cells of a row between pipes."""
    texts = _PIPE.split(row.strip())[1:]
    return texts[:-1] if texts and not texts[-1].strip() else texts
