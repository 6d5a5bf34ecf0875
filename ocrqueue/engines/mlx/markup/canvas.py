"""The parser for Nemotron Parse, which places text on a canvas of its own."""

import re

from ocrqueue.engines.mlx.markup.boxes import NUMBER, rectangle
from ocrqueue.engines.mlx.markup.parsed import Parsed, joined, page_of
from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.markup.prose import markdown
from ocrqueue.engines.mlx.view import View
from ocrqueue.geometry import Point
from ocrqueue.pages import Line

_CANVAS = (1664, 2048)  # pixels; width and height of the image that mlx-vlm's processor makes


def nemotron(answer: str, view: View) -> Parsed:
    """Nemotron Parse: `<x_0.1><y_0.1>Markdown<x_0.9><y_0.2><class_Text>`; shares of a canvas of 1664 x 2048 pixels."""
    pattern = rf"<x_({NUMBER})><y_({NUMBER})>(.*?)<x_({NUMBER})><y_({NUMBER})><class_([^>]+)>"
    found = re.findall(pattern, answer, re.DOTALL)
    lines, parts = [], []
    for left, top, body, right, bottom, kind in found:
        content = body.strip()
        if not content:
            continue
        parts.append(f"# {content}" if kind == "Title" and not content.startswith("#") else content)
        corners = [_from_canvas(float(x), float(y), view) for x, y in ((left, top), (right, bottom))]
        lines.append(Line(plain(content), rectangle(*corners)))
    return page_of(lines, joined(parts)) if found else markdown(re.sub(r"<(?:[xy]|class)_[^>]*>", "", answer), view)


def _from_canvas(x: float, y: float, view: View) -> Point:
    """The point of the page for a point of the canvas, in shares of its sides.

    The page lies in the middle of the canvas, and is scaled down if it is larger.
    """
    width, height = view.shown
    canvas = _CANVAS
    scale = min(1.0, canvas[0] / width, canvas[1] / height)
    left, top = (canvas[0] - width * scale) / 2, (canvas[1] - height * scale) / 2
    return view.point((x * canvas[0] - left) / scale, (y * canvas[1] - top) / scale)
