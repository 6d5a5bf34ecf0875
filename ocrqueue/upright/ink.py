"""The characters on a page as a small mask, which suffices to find the direction of its lines."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ocrqueue.upright.canvas import Size
from ocrqueue.vision.components import components_of

if TYPE_CHECKING:
    from PIL.Image import Image

cv2.setNumThreads(1)  # each worker process uses one core

_WORKING_SIDE = 1400  # pixels: the page is reduced by a whole factor that brings its longer side closest to this
_CONTRAST = 24  # of 255: ink differs from the paper around it by more
_PAPER = 4  # the grey of the paper is found in the mask reduced by this factor ...
_AROUND = 11  # ... as the median of a square with so many pixels on each side
_SMALLEST = 3  # pixels of a character's longer side; smaller is a speck
_LARGEST = 1 / 14  # share of the mask's longer side; larger is a rule, a picture or an edge of the paper
_USUAL_EM = 12.0  # pixels of the mask: used if the page has no letters


@dataclass(frozen=True, slots=True)
class Ink:
    """The characters of a page, as a mask of 1/`factor` of its size."""

    page: "Image"  # RGB
    factor: int  # at least 1
    mask: Any  # height x width, uint8: 1 for ink of a character, else 0
    em: float  # median of the longer sides of the characters, in pixels of the mask

    @property
    def size(self) -> Size:
        """Width and height of the mask in pixels."""
        return self.mask.shape[1], self.mask.shape[0]


def ink_of(page: "Image") -> Ink:
    """All shapes that differ from the paper around them, dark or light, and have the size of characters."""
    factor = max(1, round(max(page.size) / _WORKING_SIDE))
    grey = np.asarray(page.reduce(factor).convert("L"))
    height, width = grey.shape
    small = cv2.resize(grey, (-(-width // _PAPER), -(-height // _PAPER)), interpolation=cv2.INTER_AREA)
    paper = cv2.resize(cv2.medianBlur(small, _AROUND), (width, height), interpolation=cv2.INTER_LINEAR)
    _, mask = cv2.threshold(cv2.absdiff(grey, paper), _CONTRAST, 1, cv2.THRESH_BINARY)
    shapes = components_of(mask)
    extent = np.maximum(shapes.width, shapes.height)
    keep = (extent >= _SMALLEST) & (extent <= max(mask.shape) * _LARGEST)
    letters = extent[keep & (extent > _SMALLEST + 1)]
    em = float(np.median(letters)) if len(letters) else _USUAL_EM
    is_ink = np.concatenate(([False], keep)).astype(np.uint8)  # label 0 is the paper
    return Ink(page, factor, is_ink.take(shapes.labels, mode="clip"), em)  # "clip": without a check of each label


def level_share(ink: Ink) -> float:
    """The share of words, 0 to 1, that are wide rather than tall: near 1 if lines run from left to right.

    Characters are closer to their neighbours in the line than to the next line, so a morphological closing joins them
    into words. Words are weighted by the square root of their area. 1 if there are no words.
    """
    reach = max(3, round(ink.em / 3)) | 1
    words = cv2.morphologyEx(ink.mask, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8), borderValue=0)
    found = components_of(words)
    width, height = found.width, found.height
    weight = np.sqrt(found.area) * (np.minimum(width, height) > _SMALLEST)
    wide, tall = float(weight[width > 2 * height].sum()), float(weight[height > 2 * width].sum())
    return wide / (wide + tall) if wide + tall else 1.0


def has_level_lines(ink: Ink) -> bool:
    """Whether the amount of ink changes more from row to row than from column to column, as at the edges of lines."""
    mask = ink.mask > 0
    down, across = (np.diff(mask.sum(axis=axis, dtype=np.int64)) for axis in (1, 0))
    return bool((down**2).sum() > (across**2).sum())
