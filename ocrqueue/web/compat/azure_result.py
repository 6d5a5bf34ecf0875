"""A result as the `analyzeResult` of Azure Document Intelligence, version 2024-11-30.

Its shape: https://learn.microsoft.com/rest/api/aiservices/document-models/get-analyze-result
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.formats.placement import PlacedWord, lines_of, numbered_lines
from ocrqueue.geometry import Quad
from ocrqueue.storage.blocks import block_of
from ocrqueue.web.compat.azure_spans import Content, Places, Span, around, joined, union
from ocrqueue.web.content.pieces import Later, LaterItems, dumped, parts_of, text_of

API_VERSION = "2024-11-30"
TEXT, MARKDOWN = "text", "markdown"  # the values of outputContentFormat
_ROLES = {
    BlockKind.TITLE: "title",
    BlockKind.HEADING: "sectionHeading",
    BlockKind.FOOTNOTE: "footnote",
    BlockKind.PAGE_HEADER: "pageHeader",
    BlockKind.PAGE_FOOTER: "pageFooter",
    BlockKind.FORMULA: "formulaBlock",
}
_LEFT_OUT = (BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER)  # by Markdown
_NO_CONFIDENCE = 1.0  # of a word whose engine gives none; the field is required


def analyze_result(pages: Iterable[Mapping[str, Any]], model: str, content_format: str) -> Iterator[str]:
    """The JSON of the result of a job with these pages, in parts. Lengths and offsets count Unicode code points.

    It holds one page in memory at a time.
    """
    content, length = Later(), 0
    paragraphs, tables = LaterItems(), LaterItems()
    about = {"apiVersion": API_VERSION, "modelId": model, "stringIndexType": "unicodeCodePoint"}
    yield dumped({**about, "contentFormat": content_format, "styles": []})[:-1] + ', "pages": ['
    for number, page in enumerate(pages):
        if length:
            content.write("\n")
            length += 1
        part = _Page(page, length, content_format)
        content.write(part.text)
        length += len(part.text)
        yield ", " if number else ""
        yield from parts_of(part.shown, len(page["lines"]))
        for found, items in ((part.paragraphs, paragraphs), (part.tables, tables)):
            for item in found:
                items.add(item)
    for name, items in (("paragraphs", paragraphs), ("tables", tables)):
        yield f'], "{name}": ['
        yield from items.parts()
    yield '], "content": '
    yield from text_of(content.parts())
    yield "}"


class _Page:
    """A page, its part of the content, and its paragraphs and tables."""

    def __init__(self, page: Mapping[str, Any], start: int, content_format: str) -> None:
        """Its part of the content begins at `start`."""
        self._number = page["page"]
        self._lines = dict(numbered_lines(page)) or dict(enumerate(lines_of(page)))
        self._is_text = content_format == TEXT
        lines = "\n".join(line.text for line in self._lines.values())
        self.text = str(page["markdown"] if not self._is_text else lines or page["text"])
        self._start = start
        content = Content(self.text)
        self._places = Places(content, start)
        self._found: dict[int, tuple[Span, list[Span]]] = {}  # spans of lines and of their words, by index on the page
        self.paragraphs: list[dict[str, Any]] = []
        self.tables: list[dict[str, Any]] = []
        blocks = list(map(block_of, page.get("blocks") or ()))
        if self._is_text or not blocks:
            self._find(self._lines, self._places)
            self._places = Places(content, start)
        for block in blocks:
            if block.cells:
                self.tables.append(self._table(block))
            elif block.text:
                self.paragraphs.append(self._paragraph(block))
        self.shown = self._shown(page)

    def _find(self, lines: Iterable[int], places: Places) -> None:
        """Find lines, in this order."""
        for index in lines:
            if index in self._lines:
                self._found[index] = places.line(self._lines[index].text)

    def _shown(self, page: Mapping[str, Any]) -> dict[str, Any]:
        words, lines = [], []
        for index, line in self._lines.items():
            span, spans = self._found.get(index, (self._places.here(), []))
            lines.append({"content": line.text, "polygon": _polygon(line.box), "spans": [span]})
            words += [_word(word, part) for word, part in zip(line.words(), chain(spans, repeat(span)), strict=False)]
        return {
            "pageNumber": self._number,
            "angle": 0,
            "width": page["width"] or 0,
            "height": page["height"] or 0,
            "unit": "pixel",
            "words": words,
            "lines": lines,
            "spans": [{"offset": self._start, "length": len(self.text)}],
        }

    def _paragraph(self, block: Block) -> dict[str, Any]:
        """A block as a paragraph. Its span is empty if Markdown leaves it out, as it does running heads."""
        place = None
        if not (self._is_text or block.kind in _LEFT_OUT):
            place = self._places.find(block.text)
            if not place:  # a note is referred to in it
                self._find(block.lines, self._places)
        spans = self._spans(block, place)
        role = _ROLES.get(block.kind)
        shown = {"content": block.text, "boundingRegions": self._regions(block.box), "spans": spans}
        return shown if role is None else {"role": role, **shown}

    def _table(self, block: Block) -> dict[str, Any]:
        """A block as a table."""
        lines = [self._found[index][0] for index in block.lines if index in self._found]
        places = self._places.inside(union(lines)) if lines else self._places
        cells = [self._cell(cell, places) for cell in block.cells]
        place = None if self._is_text else around(self.text, self._start, (s for cell in cells for s in cell["spans"]))
        return {
            "rowCount": max(cell.row + cell.row_span for cell in block.cells),
            "columnCount": max(cell.column + cell.column_span for cell in block.cells),
            "cells": cells,
            "boundingRegions": self._regions(block.box),
            "spans": self._spans(block, place),
        }

    def _cell(self, cell: Cell, places: Places) -> dict[str, Any]:
        found = [places.find(line) for line in cell.text.split("\n")] if cell.text else []
        return {
            "kind": "columnHeader" if cell.is_header else "content",
            "rowIndex": cell.row,
            "columnIndex": cell.column,
            "rowSpan": cell.row_span,
            "columnSpan": cell.column_span,
            "content": cell.text,
            "boundingRegions": self._regions(cell.box),
            "spans": joined(span for span in found if span),
        }

    def _spans(self, block: Block, place: Span | None) -> list[Span]:
        """The spans of a block: its place in Markdown, or those of its lines; at least one, which may be empty."""
        if place:
            self._find(block.lines, self._places.inside(place))
            return [place]
        known = [self._found[index][0] for index in block.lines if index in self._found]
        if not known and self._is_text and (place := self._places.find(block.text)):
            return [place]
        return joined(span for span in known if span["length"]) or [self._places.here()]

    def _regions(self, box: Quad | None) -> list[dict[str, Any]]:
        return [] if box is None else [{"pageNumber": self._number, "polygon": _polygon(box)}]


def _word(word: PlacedWord, span: Span) -> dict[str, Any]:
    confidence = _NO_CONFIDENCE if word.confidence is None else word.confidence
    return {"content": word.text, "polygon": _polygon(word.box), "confidence": confidence, "span": span}


def _polygon(box: Quad) -> list[float]:
    return [round(value, 2) for point in box for value in point]
