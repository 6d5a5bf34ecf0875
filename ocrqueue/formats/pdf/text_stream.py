"""The content stream that puts a page's lines, unseen, where they stand on a page of a PDF."""

import math
from collections.abc import Callable, Iterable

from ocrqueue.formats.pdf.glyphs import DESCENT, Glyphs
from ocrqueue.formats.placement import PlacedLine, width
from ocrqueue.geometry import Point

_SMALLEST = 0.01  # points; less is no line


def text_stream(
    lines: Iterable[PlacedLine], to_user_space: Callable[[Point], Point], font: str, glyphs: Glyphs
) -> bytes:
    """Operators that draw the lines in render mode 3, which leaves no mark; empty where there is nothing to draw.

    `to_user_space` leads from pixels of the page image to the page's user space. Each line is as long and as high as
    its box, and turned with it. Lines of the document's own text layer are there already, and left out.
    """
    drawn = [_line(line, to_user_space, font, glyphs) for line in lines if line.origin != "text_layer"]
    found = "".join(drawn)
    return f"q\nBT\n3 Tr\n{found}ET\nQ\n".encode("ascii") if found else b""


def _line(line: PlacedLine, to_user_space: Callable[[Point], Point], font: str, glyphs: Glyphs) -> str:
    top_left, top_right, bottom_right, bottom_left = map(to_user_space, line.box)
    along = _mean(_minus(top_right, top_left), _minus(bottom_right, bottom_left))
    up = _mean(_minus(top_left, bottom_left), _minus(top_right, bottom_right))
    length, natural = math.hypot(*along), sum(map(width, line.text))
    if length < _SMALLEST or not natural:
        return ""
    cos, sin = along[0] / length, along[1] / length
    size = up[1] * cos - up[0] * sin
    if size < _SMALLEST:
        return ""
    x, y = bottom_left[0] - sin * DESCENT * size, bottom_left[1] + cos * DESCENT * size
    stretch = 100 * length / (natural * size)
    matrix = " ".join(f"{value:.5f}".rstrip("0").rstrip(".") for value in (cos, sin, -sin, cos))
    codes = glyphs.encoded(line.text)
    return f"/{font} {size:.2f} Tf {stretch:.2f} Tz\n{matrix} {x:.2f} {y:.2f} Tm <{codes}> Tj\n"


def _minus(end: Point, start: Point) -> Point:
    return end[0] - start[0], end[1] - start[1]


def _mean(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
