"""Boxes of lines that were read, without the paper around the ink.

An engine's boxes have room around the text, and how much differs from page to page. It closes the gaps between columns
and lets rows overlap, so that cells of a table would be joined.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from ocrqueue.geometry import Quad, Rect, bounds
from ocrqueue.pages import Line, PageText
from ocrqueue.states import Origin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_KEPT = 0.08  # of a line's height: the paper that stays at its ends
_CUT = 0.08  # of a line's height: what goes above it and below it
_INSIDE = 0.15  # of a line's height: above and below may be ink of other lines, which says nothing about the ends
_CONTRAST = 40  # of 255: between ink and paper, at least
_TALL = 1.5  # heights a width: a line that is taller runs downwards, and stays as it is
_SLOPE = 0.2  # of a line's height: a line that rises more stays as it is


def without_paper(page: PageText, image: "Image", width: float) -> PageText:
    """The page with smaller boxes of lines and words that were read. `width`: of `image`, in pixels of the boxes."""
    import numpy as np

    grey = np.asarray(image.convert("L"))
    scale = grey.shape[1] / width
    return replace(page, lines=[_trimmed(line, grey, scale) for line in page.lines])


def _trimmed(line: Line, grey: "NDArray[np.uint8]", scale: float) -> Line:
    """A line with a smaller box. `scale`: pixels of `grey` per pixel of the box."""
    left, top, right, bottom = bounds(line.box)
    height = bottom - top
    rises = abs(line.box[1][1] - line.box[0][1]) > _SLOPE * height
    if line.origin != Origin.OCR or rises or height > _TALL * (right - left):
        return line
    across, down = (slice(max(0, int(a * scale)), int(b * scale) + 1) for a, b in ((left, right), (top, bottom)))
    columns = _inked_columns(grey[down, across])
    if not columns:
        return line
    inner = (
        max(left, left + columns[0] / scale - _KEPT * height),
        top + _CUT * height,
        min(right, left + (columns[-1] + 1) / scale + _KEPT * height),
        bottom - _CUT * height,
    )
    words = tuple(replace(word, box=_within(word.box, inner)) for word in line.words)
    return replace(line, box=_within(line.box, inner), words=words)


def _inked_columns(grey: "NDArray[np.uint8]") -> list[int]:
    """The columns of pixels with ink: they differ from the paper by more than half of the largest difference."""
    import numpy as np

    edge = int(len(grey) * _INSIDE)
    inner = grey[edge : len(grey) - edge].astype(np.int16)
    paper = int(np.median(grey[::2, ::2])) if grey.size else 0
    contrast = np.abs(inner - paper).max(axis=0, initial=0)
    columns: list[int] = np.flatnonzero(contrast > max(_CONTRAST, int(contrast.max(initial=0))) / 2).tolist()
    return columns


def _within(box: Quad, inner: Rect) -> Quad:
    """A box, cut to a rectangle."""
    left, top, right, bottom = inner
    a, b, c, d = ((float(min(max(x, left), right)), float(min(max(y, top), bottom))) for x, y in box)
    return a, b, c, d
