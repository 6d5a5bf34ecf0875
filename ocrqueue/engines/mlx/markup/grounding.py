"""The parser for texts with boxes in the notation of DeepSeek-OCR."""

import re

from ocrqueue.engines.mlx.markup.boxes import NUMBER, box_of
from ocrqueue.engines.mlx.markup.marks import blocks
from ocrqueue.engines.mlx.markup.parsed import Parsed, joined, page_of
from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import Line

_GRID = 999  # coordinates run from 0 to 999
_PICTURES = ("image", "figure")  # kinds without text


def grounded(answer: str, view: View) -> Parsed:
    """DeepSeek-OCR: `<|ref|>kind<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>`, then the text; boxes from 0 to 999.

    If the list contains several boxes, the line gets the box around all of them.
    """
    mark = re.compile(r"<\|ref\|>(.*?)<\|/ref\|>\s*<\|det\|>\s*\[(.*?)\]\s*<\|/det\|>", re.DOTALL)
    lines, parts = [], []
    for kind, where, body in blocks(mark, answer):
        content = body.strip() or ("" if kind is None or kind in _PICTURES else kind.strip())
        if content and (box := box_of(_around(re.findall(NUMBER, where or "")), view, _GRID)):
            lines.append(Line(plain(content), box))
        parts.append(content)
    return page_of(lines, joined(parts))


def _around(numbers: list[str]) -> list[float]:
    """The box around several boxes of four numbers each; unchanged if their count is no multiple of four."""
    values = [float(n) for n in numbers]
    if not values or len(values) % 4:
        return values
    return [min(values[::4]), min(values[1::4]), max(values[2::4]), max(values[3::4])]
