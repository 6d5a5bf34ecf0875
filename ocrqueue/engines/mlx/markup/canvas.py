"""The parser for Nemotron Parse, which places text on a canvas of its own."""

import re

from ocrqueue.engines.mlx.markup.blocks import kind_of
from ocrqueue.engines.mlx.markup.boxes import NUMBER, rectangle
from ocrqueue.engines.mlx.markup.formulas import formula
from ocrqueue.engines.mlx.markup.parsed import Element, Parsed, page_of
from ocrqueue.engines.mlx.view import View
from ocrqueue.geometry import Point, Quad

_CANVAS = (1664, 2048)  # pixels; width and height of the image that mlx-vlm's processor makes
_MARK = re.compile(rf"<x_({NUMBER})><y_({NUMBER})>|<class_([A-Za-z-]+)>")
_LEFT_OVER = re.compile(rf"<[xy]_{NUMBER}>|</?s>|<(?:predict_[a-z_]+|output_[a-z_]+)>")
_HEADINGS = {"Title": "# ", "Section-header": "## "}
_FORMULAS = ("Formula", "Inline-formula")


def nemotron(answer: str, view: View) -> Parsed:
    """Nemotron Parse: `<x_0.1><y_0.1>Markdown<x_0.9><y_0.2><class_Text>`; shares of a canvas of 1664 x 2048 pixels.

    Blocks stay in the model's order; version 1.1 puts pictures and captions last. Pictures have no text. Tables are
    LaTeX and become HTML.
    """
    blocks, texts, end = [], [], 0
    corners: list[tuple[float, float]] = []
    for found in _MARK.finditer(answer):
        texts.append(answer[end : found.start()])
        end = found.end()
        if found[3]:
            blocks.append(_block("".join(texts), found[3], corners, view))
            texts, corners = [], []
        else:
            corners.append((float(found[1]), float(found[2])))
    texts.append(answer[end:])
    return page_of([*blocks, _block("".join(texts), "", [], view)])


def _block(text: str, kind: str, corners: list[tuple[float, float]], view: View) -> Element:
    content = _LEFT_OVER.sub("", text).strip()
    if kind in _FORMULAS:
        content = formula(content)
    elif content and not content.startswith("#"):
        content = _HEADINGS.get(kind, "") + content
    return Element(content, _box(corners, view) if len(corners) == 2 else None, kind_of(kind))


def _box(corners: list[tuple[float, float]], view: View) -> Quad | None:
    first, second = (_from_canvas(x, y, view) for x, y in corners)
    return rectangle(first, second)


def _from_canvas(x: float, y: float, view: View) -> Point:
    """The point of the page for a point of the canvas, in shares of its sides.

    The page lies in the middle of the canvas, and is scaled down if it is larger.
    """
    width, height = view.shown
    scale = min(1.0, _CANVAS[0] / width, _CANVAS[1] / height)
    left, top = (_CANVAS[0] - width * scale) / 2, (_CANVAS[1] - height * scale) / 2
    return view.point((x * _CANVAS[0] - left) / scale, (y * _CANVAS[1] - top) / scale)
