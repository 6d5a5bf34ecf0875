"""The boxes of the characters and words of a PDF page, computed for the whole page at once. All are in points.

The coordinates of a line: x along its direction, y down from it. Those of a vertical line are the page's.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from ocrqueue.geometry import Quad

LEVEL = 0.9999  # the cosine of a direction; from here on a line counts as level
_FONT = itemgetter("size", "ascender", "descender")  # of a span; the descender is negative
Array = np.ndarray[Any, np.dtype[np.float64]]


def direction_of(line: dict[str, Any]) -> tuple[float, float]:
    """Cosine and sine of the angle by which a line's coordinates are turned: 1 and 0 if it is level or vertical."""
    cos, sin = line["dir"]
    return (1.0, 0.0) if line["wmode"] or cos > LEVEL else (cos, sin)


def sides_of(lines: Sequence[dict[str, Any]]) -> Array:
    """Left, top, right and bottom of all characters of some lines, each in coordinates of its line.

    `lines` are those of PyMuPDF's `rawdict`. A character is as high as its font, at most the font's size.
    """
    spans = [span for line in lines for span in line["spans"]]
    chars = list(chain.from_iterable([span["chars"] for span in spans]))
    sides = _flat([char["bbox"] for char in chars], 4)
    directions = _flat([(*direction_of(line), line["wmode"]) for line in lines], 3)
    cos, sin, wmode = directions.repeat([len(line["spans"]) for line in lines], axis=0).T
    size, ascender, descender = _flat(list(map(_FONT, spans)), 3).T
    up, down = np.maximum(ascender, 0.1), np.maximum(-descender, 0.0)
    scale = size / np.maximum(1.0, up + down)
    counts = [len(span["chars"]) for span in spans]
    if (cos > LEVEL).all():  # cos is 1 and sin 0, as on most pages
        height = _packed([char["origin"][1] for char in chars], len(chars))
    else:
        x, y = _flat([char["origin"] for char in chars], 2).T
        cos, sin, high = np.stack([cos, sin, (up + down) * size]).repeat(counts, axis=1)
        turned = ~(cos > LEVEL)
        width = _widths(sides, cos, sin, high)
        sides[turned, 0] = (x * cos + y * sin)[turned]
        sides[turned, 2] = (sides[:, 0] + width)[turned]
        height = y * cos - x * sin
    above, below = np.stack([up * scale, down * scale]).repeat(counts, axis=1)
    tops, bottoms = height - above, height + below
    if wmode.any():
        is_vertical = wmode.repeat(counts) != 0
        tops, bottoms = np.where(is_vertical, sides[:, 1], tops), np.where(is_vertical, sides[:, 3], bottoms)
    sides[:, 1], sides[:, 3] = tops, bottoms
    return sides


def _flat(rows: Sequence[Sequence[float]], length: int) -> Array:
    """Rows of this length as an array."""
    return _packed(chain.from_iterable(rows), len(rows) * length).reshape(-1, length)


def _packed(values: Iterable[float], count: int) -> Array:
    """This number of values as an array: in half the time that `np.array` takes for a list."""
    packed = bytearray(8 * count)
    struct.pack_into(f"{count}d", packed, 0, *values)
    return np.frombuffer(packed)


def _widths(boxes: Array, cos: Array, sin: Array, high: Array) -> Array:
    """The widths of turned characters of these heights, from the upright boxes around them.

    The box of a rectangle w x h turned by an angle a is w cos a + h sin a wide and w sin a + h cos a high. The
    equation with the larger factor of w is solved.
    """
    cos, sin = np.abs(cos), np.abs(sin)
    across, down = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    width = np.where(cos > sin, across - high * sin, down - high * cos) / np.maximum(cos, sin)
    return np.maximum(width, 0.0)


def merged(boxes: Array, parts: Sequence[tuple[int, int]]) -> Array:
    """The box around each part of some boxes, from its start to before its end. A part has at least one box."""
    cuts = [index for part in parts for index in part]
    padded = np.vstack([boxes, boxes[-1:]])  # the last part may end at the end
    least = np.minimum.reduceat(padded[:, :2], cuts, axis=0)[::2]
    most = np.maximum.reduceat(padded[:, 2:], cuts, axis=0)[::2]
    return np.hstack([least, most])


def corners_of(boxes: Array, cos: Array, sin: Array) -> Array:
    """The corners of boxes on the page, as x and y of each, clockwise from the top left. Shape: boxes x 8."""
    left, top, right, bottom = boxes.T
    found = np.empty((len(boxes), 8))
    for index, (x, y) in enumerate([(left, top), (right, top), (right, bottom), (left, bottom)]):
        found[:, 2 * index] = x * cos - y * sin
        found[:, 2 * index + 1] = x * sin + y * cos
    return found


def quads_of(corners: Array) -> list[Quad]:
    """The quads of the corners that `corners_of` returns."""
    return [((ax, ay), (bx, by), (cx, cy), (dx, dy)) for ax, ay, bx, by, cx, cy, dx, dy in corners.tolist()]
