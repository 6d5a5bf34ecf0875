"""What is written on a page, as a small mask: enough to see how its lines lie."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ocrqueue.upright.canvas import Size

if TYPE_CHECKING:
    from PIL.Image import Image

cv2.setNumThreads(1)  # each worker child is meant to use one core

_WORKING_SIDE = 1400  # pixels of the mask's long side, or up to half as many again
_CONTRAST = 24  # grey levels by which ink differs from the paper around it
_PAPER = 4  # the paper's grey is taken at this part of the size ...
_AROUND = 11  # ... from a square of so many pixels
_SMALLEST = 3  # pixels; less is a speck
_LARGEST = 1 / 14  # of the mask's long side; more is a rule, a picture or an edge
_USUAL_EM = 12.0


@dataclass(frozen=True, slots=True)
class Ink:
    """The characters of a page, found at 1/`factor` of its size."""

    page: "Image"
    factor: int
    mask: Any  # H x W, uint8: 1 where there is a character, else 0
    em: float  # usual extent of a character, in pixels of the mask

    @property
    def size(self) -> Size:
        """Width and height of the mask."""
        return self.mask.shape[1], self.mask.shape[0]


def ink_of(page: "Image") -> Ink:
    """Whatever differs from the paper around it, dark or light, and is neither a speck nor large."""
    factor = max(1, round(max(page.size) / _WORKING_SIDE))
    grey = np.asarray(page.reduce(factor).convert("L"))
    height, width = grey.shape
    small = cv2.resize(grey, (-(-width // _PAPER), -(-height // _PAPER)), interpolation=cv2.INTER_AREA)
    paper = cv2.resize(cv2.medianBlur(small, _AROUND), (width, height), interpolation=cv2.INTER_LINEAR)
    mask = (cv2.absdiff(grey, paper) > _CONTRAST).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = (extent >= _SMALLEST) & (extent <= max(mask.shape) * _LARGEST)
    keep[0] = False  # label 0 is the paper
    letters = extent[keep & (extent > _SMALLEST + 1)]
    em = float(np.median(letters)) if len(letters) else _USUAL_EM
    return Ink(page, factor, keep.astype(np.uint8)[labels], em)


def level_share(ink: Ink) -> float:
    """The share, 0 to 1, of words that are wide rather than tall: near 1 where lines run from left to right.

    Characters are closer to their neighbours in the line than to those in the next, so growing them all around makes
    words. 1 where there are no words.
    """
    reach = max(3, round(ink.em / 3)) | 1
    words = cv2.morphologyEx(ink.mask, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8), borderValue=0)
    _, _, stats, _ = cv2.connectedComponentsWithStats(words, connectivity=8)
    width, height, area = stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_AREA]
    weight = np.sqrt(area) * (np.minimum(width, height) > _SMALLEST)
    wide, tall = float(weight[width > 2 * height].sum()), float(weight[height > 2 * width].sum())
    return wide / (wide + tall) if wide + tall else 1.0
