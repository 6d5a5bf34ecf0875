"""Markdown of blocks: CommonMark with the tables and notes of GitHub Flavored Markdown.

Nothing of the text can act as Markdown or HTML: what has a meaning is escaped, in HTML tables as HTML.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, TextIO

from ocrqueue.blocks import BlockKind
from ocrqueue.formats.structured.flow import Item, PageStart, Part, flow
from ocrqueue.formats.structured.grid import Grid, cell_lines, grid_of
from ocrqueue.formats.structured.html_table import html_table
from ocrqueue.formats.structured.markers import Number, is_bullet, number_of
from ocrqueue.formats.structured.notes import MARK
from ocrqueue.layout.markdown import escape, escape_inside

_BREAK = "  \n"  # a hard line break
_DELIMITERS = re.compile(r"[|:\s-]*-[|:\s-]*")  # a line that would make a table of the line before it
_CLOSING = re.compile(r"(?<=\s)#+$")  # at the end of a heading, Markdown leaves it out
_MARK_BEFORE = re.compile(MARK.pattern + r"(?=[(:])")
_LATEX = re.compile(r"\\[A-Za-z]+")
_DEEPEST = 6  # levels of headings


def write_structured_markdown(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write a result as Markdown, page by page. A comment such as `<!-- page 3 -->` stands where a page begins."""
    writer = _Writer(False)
    for item in flow(pages, bool(header["options"].get("keep_running_heads"))):
        stream.writelines(writer.written(item))
    stream.writelines(writer.end())


def page_markdown(page: Mapping[str, Any], keep_running_heads: bool, has_title: bool) -> str:
    """The Markdown of one page. In a document that `has_title`, the title alone is a heading of level 1."""
    writer = _Writer(has_title)
    items = (item for item in flow([page], keep_running_heads) if isinstance(item, Part))
    return "".join(text for item in items for text in writer.written(item))


class _Writer:
    """Writes items one after another."""

    def __init__(self, has_title: bool) -> None:
        self._has_title = has_title
        self._is_begun = False
        self._list: list[tuple[int, Number | None, bool]] = []  # open items: indentation of content, number, ordered
        self._starts: list[PageStart] = []  # not written yet

    def written(self, item: Item) -> Iterator[str]:
        """The text of an item, with what separates it from the one before it."""
        if isinstance(item, PageStart):
            self._starts.append(item)
            return
        if item.kind == BlockKind.LIST_ITEM:
            yield from self._item(item)
        elif text := self._text(item):
            yield from self._pages()
            self._list = []
            yield from self._separated(text)

    def end(self) -> Iterator[str]:
        """What remains to be written."""
        yield from self._pages()
        if self._is_begun:
            yield "\n"

    def _separated(self, text: str, separator: str = "\n\n") -> Iterator[str]:
        if self._is_begun:
            yield separator
        self._is_begun = True
        yield text

    def _pages(self) -> Iterator[str]:
        """The comments of pages that began."""
        for start in self._starts:
            yield from self._separated(_comment(start))
            self._list = []
        self._starts = []

    def _item(self, part: Part) -> Iterator[str]:
        """A list item. Pages that begin inside of a list are named at the end of the item before it."""
        if self._list:
            for start in self._starts:
                yield " " + _comment(start)
            self._starts = []
        yield from self._pages()
        depth = min(max(part.depth or 1, 1), len(self._list) + 1)
        before = self._list[depth - 1][1:] if depth <= len(self._list) else None
        number = number_of(part.marker, before[0] if before else None)
        is_ordered = number is not None and number.style == "1"
        bullet = f"{number.value}{')' if number.has_bracket else '.'}" if number and is_ordered else "-"
        text = "" if is_ordered or is_bullet(part.marker) else f"{part.marker} "
        indent = self._list[depth - 2][0] if depth > 1 else 0
        inner = indent + len(bullet) + 1
        lines = _BREAK.join(_lines(text + part.text)).replace("\n", "\n" + " " * inner)
        is_new = before is None or before[1] != is_ordered
        separator = "\n\n" if is_new and depth == 1 else "\n"
        self._list[depth - 1 :] = [(inner, number, is_ordered)]
        yield from self._separated(f"{' ' * indent}{bullet} {lines}", separator)

    def _text(self, part: Part) -> str:
        """A part that is no list item; empty if it has no text."""
        if part.kind == BlockKind.TABLE and part.cells:
            return _table(part)
        if not part.text.strip():
            return ""
        if part.kind in (BlockKind.TITLE, BlockKind.HEADING):
            return self._heading(part)
        if part.kind == BlockKind.CODE or (part.kind == BlockKind.FORMULA and _LATEX.search(part.text)):
            return _fenced(part.text, "math" if part.kind == BlockKind.FORMULA else "")
        if part.kind == BlockKind.FOOTNOTE:
            if part.label is None:
                return _BREAK.join(_lines(f"{part.marker or ''} {part.text}"))
            return f"[^{part.label}]: " + _with_marks(escape(part.text))
        return _BREAK.join(_lines(part.text))

    def _heading(self, part: Part) -> str:
        if part.kind == BlockKind.TITLE:
            self._has_title = True
            level = 1
        else:
            level = min((part.level or 1) + self._has_title, _DEEPEST)
        return "#" * level + " " + _CLOSING.sub(lambda match: "\\" + match[0], _inside(part.text))


def _comment(start: PageStart) -> str:
    """A comment that says where a page begins, and why it has no text or may not be complete."""
    codes = ", ".join([start.error] if start.error else start.warnings)
    return f"<!-- page {start.number}{': ' * bool(codes)}{codes} -->"


def _lines(text: str) -> list[str]:
    """The lines of a text, escaped, without empty ones."""
    found = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        escaped = escape(line)
        if escaped == line and _DELIMITERS.fullmatch(line):
            escaped = "\\" + escaped
        found.append(_with_marks(escaped))
    return found


def _inside(text: str) -> str:
    """A text on one line that stands after something else."""
    return _with_marks(escape_inside(text))


def _with_marks(text: str) -> str:
    """A text with the marks of notes; what follows a mark cannot make a link or a note of it."""
    return MARK.sub(r"[^\1]", _MARK_BEFORE.sub(r"\g<0>\\", text))


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max((len(list(run)) for char, run in groupby(text) if char == "`"), default=0))
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


def _table(part: Part) -> str:
    """A table with pipes if they can express it, otherwise in HTML."""
    grid = grid_of(part.cells)
    return _pipes(grid) if grid.is_plain else "\n".join(html_table(grid))


def _pipes(grid: Grid) -> str:
    rows = [[_pipe_cell(cell.text) for cell in row] for row in grid.rows]
    if not grid.header_rows:  # Markdown has no table without a header
        rows.insert(0, [""] * grid.columns)
    rows.insert(1, ["---"] * grid.columns)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _pipe_cell(text: str) -> str:
    return "<br>".join(escape_inside(line).replace("|", "\\|") for line in cell_lines(text))
