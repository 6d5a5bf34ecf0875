"""Parts the coloured ink of a stamp or pen from the black print that it crosses, as one hides the other."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_STEP = 4  # pixels: strokes of ink are so wide, so that one pixel of so many shows whether there is any
_SEEN = 1280  # pixels: the longer side of the page on which crossing inks are looked for
# of 255
_COLOURED = 80  # the largest channel of a pixel exceeds the smallest by so much, at least
_BRIGHT = 120  # the largest channel of coloured ink, at least
_BLACK = 110  # the largest channel of black ink, at most
_PAPER = 160  # what is brighter is paper, where coloured ink is taken away
_MOST = 0.1  # share of the page: more colour is a picture
_THICK = 15  # pixels: what is so thick is filled, and no ink
_FILLED = 0.2  # share of the coloured pixels that are filled, at most
# Coloured ink over black print is a little darker than over paper.
_DARK = 4  # percent of the coloured pixels that are taken for such
_LEAST = 8  # of 255: by which they are darker, at least; else nothing is seen through the ink
_OPEN = 0.7  # share of the difference from which on a pixel counts as ink over paper
_CROSSING = 0.0002  # share of the page: so many black pixels touch coloured ones, at least


def crossing_inks(page: Pixels) -> tuple[Pixels, Pixels] | None:
    """The page (height x width x 3) in black ink alone, and in coloured ink alone; None unless the two cross.

    On pages with pictures, coloured areas, or coloured text that stands beside black text there is nothing to part.
    """
    if not _inks(page[::_STEP, ::_STEP])[2].any():  # as on most pages
        return None
    scale = min(1.0, _SEEN / max(page.shape[:2]))
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else page
    largest, _, coloured = _inks(small)
    ink = coloured.astype(np.uint8)
    count = cv2.countNonZero(ink)
    if not count or count > _MOST * ink.size:
        return None
    if cv2.countNonZero(cv2.erode(ink, np.ones((_THICK, _THICK), np.uint8))) > _FILLED * count:
        return None
    near = cv2.dilate(ink, np.ones((3, 3), np.uint8))
    if cv2.countNonZero(near & (largest <= _BLACK).astype(np.uint8)) < _CROSSING * ink.size:
        return None
    largest, colour, coloured = _inks(page)
    level = np.minimum(largest.astype(np.float32) * (255 / _PAPER), 255)
    usual, dark = np.percentile(largest[coloured], (50, _DARK))
    level[coloured] = 255 if usual - dark < _LEAST else 255 * (largest[coloured] - dark) / (_OPEN * (usual - dark))
    return _grey(np.clip(level, 0, 255).astype(np.uint8)), _grey(255 - colour)


def _grey(channel: NDArray[Any] | cv2.typing.MatLike) -> Pixels:
    """A page whose three channels are this one."""
    return cv2.merge((channel,) * 3).astype(np.uint8, copy=False)


def _inks(page: NDArray[Any] | cv2.typing.MatLike) -> tuple[Pixels, Pixels, NDArray[np.bool_]]:
    """Of each pixel the largest channel, by how much it exceeds the smallest, and whether it is coloured ink."""
    blue, green, red = cv2.split(page)
    largest = cv2.max(cv2.max(blue, green), red).astype(np.uint8, copy=False)
    colour = cv2.subtract(largest, cv2.min(cv2.min(blue, green), red)).astype(np.uint8, copy=False)
    return largest, colour, (colour >= _COLOURED) & (largest >= _BRIGHT)
