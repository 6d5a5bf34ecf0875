"""The networks of RapidOCR's wheel that tell which way up a piece of a line is.

OpenCV runs them, whatever engine reads the page: it is there on every platform, and takes the files as they are.
"""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ocrqueue.upright.lines import TILE

_CLASSIFIER = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
_RECOGNISER = "PP-OCRv6_rec_small.onnx"
_CLASSIFIED = 192  # pixels of width that the classifier takes
_BLANK = 0  # the recogniser's class for no character
_FEWEST = 4  # characters; a shorter text says nothing


def upside_down(tiles: list[Any]) -> float:
    """How likely a page is upside down, 0 to 1: the mean of what the classifier says of each tile. 0 without tiles."""
    if not tiles:
        return 0.0
    net = _classifier()
    net.setInput(np.stack([_normalised(tile, _CLASSIFIED) for tile in tiles]))
    return float(net.forward()[:, 1].mean())


class Recogniser:
    """PP-OCR's recogniser, asked only how sure it is. About 150 MB while it lives: keep it for one page."""

    def __init__(self) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(_folder() / _RECOGNISER))

    def certainty(self, tiles: list[Any], share: float = 0.0) -> float:
        """Mean certainty, 0 to 1, of the characters in all tiles; 0 where no more than a share has enough to tell."""
        found = [c for c in map(self._characters, tiles) if len(c) >= _FEWEST]
        return float(np.concatenate(found).mean()) if len(found) > share * len(tiles) else 0.0

    def _characters(self, tile: Any) -> Any:
        """The certainty of each character, by CTC's rule: the best class of each step, repeats and blanks left out."""
        self._net.setInput(_normalised(tile, TILE[0])[None])
        steps = self._net.forward()[0]
        best = steps.argmax(axis=1)
        new = np.append(True, best[1:] != best[:-1])
        return steps.max(axis=1)[new & (best != _BLANK)]


def _normalised(tile: Any, width: int) -> Any:
    """BGR, 3 x H x `width`, -1 to 1 and 0 to the right of the tile: what PP-OCR's networks were trained on."""
    part = tile[:, :width, ::-1].transpose(2, 0, 1)
    padded = np.zeros((3, tile.shape[0], width), np.float32)
    padded[:, :, : part.shape[2]] = part.astype(np.float32) / 127.5 - 1
    return padded


@cache
def _classifier() -> Any:
    return cv2.dnn.readNetFromONNX(str(_folder() / _CLASSIFIER))


def _folder() -> Path:
    import rapidocr

    return Path(rapidocr.__file__).parent / "models"
