"""The content stream that draws the lines of a page as invisible text at their places on a PDF page."""

import math
from collections.abc import Callable, Iterable

from ocrqueue.formats.pdf.glyphs import Glyphs
from ocrqueue.formats.placement import DESCENT, PlacedLine, width
from ocrqueue.geometry import Point
from ocrqueue.states import Origin

_SMALLEST = 0.01  # points; a line shorter or lower than this is left out, because its numbers would round to 0


def text_stream(
    lines: Iterable[PlacedLine], to_user_space: Callable[[Point], Point], font: str, glyphs: Glyphs
) -> bytes:
    """Operators that draw the lines in text rendering mode 3, invisible (ISO 32000-1, 9.3.6); empty if there are none.

    `to_user_space` maps a pixel of the page image to the page's user space; `font` is the font's resource name. Each
    line gets the length, height and angle of its box. Lines of the document's own text layer are left out, because
    the page contains them already.
    """
    drawn = [_line(line, to_user_space, font, glyphs) for line in lines if line.origin != Origin.TEXT_LAYER]
    operators = "".join(drawn)
    return f"q\nBT\n3 Tr\n{operators}ET\nQ\n".encode("ascii") if operators else b""


def _line(line: PlacedLine, to_user_space: Callable[[Point], Point], font: str, glyphs: Glyphs) -> str:
    """The operators for one line: font size in user space units, horizontal scaling in percent, text matrix, text."""
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
