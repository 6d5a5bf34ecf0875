"""The parser for JSON lists of elements with boxes, as dots.ocr writes them."""

import json
from collections.abc import Iterator
from typing import Any

from ocrqueue.engines.mlx.markup.boxes import box_of
from ocrqueue.engines.mlx.markup.parsed import Parsed, joined, page_of
from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.markup.prose import text
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import Line


def dots(answer: str, view: View) -> Parsed:
    """dots.ocr: a JSON list of {"bbox": [x1, y1, x2, y2], "category": ..., "text": ...}; boxes in pixels it sees."""
    lines, parts = [], []
    for cell in _objects(answer):
        content = str(cell.get("text") or "").strip()
        if not content:
            continue
        parts.append(_formula(content) if cell.get("category") == "Formula" else content)
        if box := box_of(cell.get("bbox") or [], view, None):
            lines.append(Line(plain(content), box))
    return page_of(lines, joined(parts)) if parts else text("" if _is_json(answer) else answer, view)


def _formula(content: str) -> str:
    """LaTeX as a display formula of Markdown, unless it contains `$` already."""
    if "$" in content:
        return content
    return f"$$\n{content.removeprefix(chr(92) + '[').removesuffix(chr(92) + ']').strip()}\n$$"


def _objects(answer: str) -> list[dict[str, Any]]:
    """The objects with a `bbox` in a JSON text. A text that is cut off yields its complete objects."""
    decoder = json.JSONDecoder()
    found, position = [], 0
    while (position := answer.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(answer, position)
        except (ValueError, RecursionError):
            position += 1
            continue
        found += [value] if "bbox" in value else [o for o in _values(value) if isinstance(o, dict) and "bbox" in o]
    return found


def _values(value: dict[str, Any]) -> Iterator[Any]:
    for inner in value.values():
        yield from inner if isinstance(inner, list) else [inner]


def _is_json(answer: str) -> bool:
    try:
        json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return True
