"""A result as the `analyzeResult` of Azure Document Intelligence, version 2024-11-30.

Its shape: https://learn.microsoft.com/rest/api/aiservices/document-models/get-analyze-result
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.formats.placement import PlacedLine, lines_of
from ocrqueue.geometry import Quad
from ocrqueue.storage.blocks import block_of

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
_NO_CONFIDENCE = 1.0  # of a word whose engine gives none; the field is required


def analyze_result(result: Mapping[str, Any], model: str, content_format: str) -> dict[str, Any]:
    """The result of a job. Lengths and offsets count Unicode code points."""
    content = ""
    pages: list[dict[str, Any]] = []
    paragraphs: list[dict[str, Any]] = []
    tables: list[dict[str, Any]] = []
    for page in result["pages"]:
        content += "\n" if content else ""
        shown, text = _page(page, len(content), content_format)
        for block in map(block_of, page.get("blocks") or ()):
            if block.cells:
                tables.append(_table(page, block))
            elif block.text:
                paragraphs.append(_paragraph(page, block, content, text))
        content += text
        pages.append(shown)
    return {
        "apiVersion": API_VERSION,
        "modelId": model,
        "stringIndexType": "unicodeCodePoint",
        "content": content,
        "contentFormat": content_format,
        "pages": pages,
        "paragraphs": paragraphs,
        "tables": tables,
        "styles": [],
    }


def _page(page: Mapping[str, Any], start: int, content_format: str) -> tuple[dict[str, Any], str]:
    """A page and its part of the content, which begins at `start`."""
    lines = [line for line in lines_of(page) if line.text]
    if content_format == TEXT:
        text = "\n".join(line.text for line in lines) if lines else page["text"]
    else:
        text = page["markdown"]
    words: list[dict[str, Any]] = []
    shown_lines, position = [], 0
    for line in lines:
        place = text.find(line.text, position)
        span = {"offset": start + max(place, position), "length": len(line.text) if place >= 0 else 0}
        shown_lines.append({"content": line.text, "polygon": _polygon(line.box), "spans": [span]})
        words += _words(line, span["offset"], place >= 0)
        position = place + len(line.text) if place >= 0 else position
    return {
        "pageNumber": page["page"],
        "angle": 0,
        "width": page["width"] or 0,
        "height": page["height"] or 0,
        "unit": "pixel",
        "words": words,
        "lines": shown_lines,
        "spans": [{"offset": start, "length": len(text)}],
    }, text


def _paragraph(page: Mapping[str, Any], block: Block, before: str, text: str) -> dict[str, Any]:
    """A block as a paragraph. Its span is empty if the page's content does not have its text in one piece."""
    place = text.find(block.text)
    spans = [{"offset": len(before) + place, "length": len(block.text)}] if place >= 0 else []
    role = _ROLES.get(block.kind)
    shown = {"content": block.text, "boundingRegions": _regions(page, block.box), "spans": spans}
    return shown if role is None else {"role": role, **shown}


def _table(page: Mapping[str, Any], block: Block) -> dict[str, Any]:
    cells = [
        {
            "kind": "columnHeader" if cell.is_header else "content",
            "rowIndex": cell.row,
            "columnIndex": cell.column,
            "rowSpan": cell.row_span,
            "columnSpan": cell.column_span,
            "content": cell.text,
            "boundingRegions": _regions(page, cell.box),
            "spans": [],
        }
        for cell in block.cells
    ]
    return {
        "rowCount": max(cell.row + cell.row_span for cell in block.cells),
        "columnCount": max(cell.column + cell.column_span for cell in block.cells),
        "cells": cells,
        "boundingRegions": _regions(page, block.box),
        "spans": [],
    }


def _regions(page: Mapping[str, Any], box: Quad | None) -> list[dict[str, Any]]:
    return [] if box is None else [{"pageNumber": page["page"], "polygon": _polygon(box)}]


def _words(line: PlacedLine, start: int, is_found: bool) -> Iterator[dict[str, Any]]:
    position = 0
    for word in line.words():
        position = line.text.index(word.text, position)
        span = {"offset": start + (position if is_found else 0), "length": len(word.text) if is_found else 0}
        confidence = _NO_CONFIDENCE if word.confidence is None else word.confidence
        yield {"content": word.text, "polygon": _polygon(word.box), "confidence": confidence, "span": span}
        position += len(word.text)


def _polygon(box: Quad) -> list[float]:
    return [round(value, 2) for point in box for value in point]
