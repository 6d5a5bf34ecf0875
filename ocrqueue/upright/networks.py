"""The networks that tell which way up a tile is. Their files come with the package `rapidocr`.

OpenCV runs them, whichever engine reads the page: it exists on every platform, and reads the files as they are.
"""

from functools import cache, cached_property
from statistics import fmean
from typing import Any

import cv2
import numpy as np

from ocrqueue.upright.tiles import MAX_WIDTH
from ocrqueue.vision.ppocr import decode, network_input, package_folder

_CLASSIFIER = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
_RECOGNISER = "PP-OCRv6_rec_small.onnx"
_CLASSIFIED = 192  # pixels: width of the classifier's input
_SURELY_NOT = 0.2  # mean likelihood of half of the tiles below which a page is not upside down
_FEWEST = 4  # characters: the certainty of fewer says nothing


def upside_down(tiles: list[Any]) -> float:
    """Likelihood, 0 to 1, that a page is upside down: the mean over its tiles (see `tiles`); 0 without tiles.

    If every second tile says that it is not, the others are not asked.
    """
    some = _likelihoods(tiles[::2])
    if not some or sum(some) < _SURELY_NOT * len(some):
        return fmean(some or [0.0])
    return fmean([*some, *_likelihoods(tiles[1::2])])


def _likelihoods(tiles: list[Any]) -> list[float]:
    """The likelihood of "upside down" of each tile."""
    if not tiles:
        return []
    net = _classifier()
    net.setInput(np.stack([network_input(tile[:, :, ::-1], _CLASSIFIED) for tile in tiles]))
    likelihoods: list[float] = net.forward()[:, 1].tolist()
    return likelihoods


class Recogniser:
    """The recogniser of PP-OCR, used only for its certainty. It takes about 150 MB: keep it for one page only.

    It is loaded for its first tile.
    """

    @cached_property
    def _net(self) -> Any:
        return _network(_RECOGNISER)

    def certainty(self, tiles: list[Any], share: float = 0.0) -> float:
        """Mean certainty, 0 to 1, of the characters in all tiles with enough characters.

        0 if at most the share `share` of the tiles has enough characters.
        """
        found = [c for c in map(self._characters, tiles) if len(c) >= _FEWEST]
        return float(np.concatenate(found).mean()) if len(found) > share * len(tiles) else 0.0

    def _characters(self, tile: Any) -> Any:
        """The certainty, 0 to 1, of each character in a tile."""
        self._net.setInput(network_input(tile[:, :, ::-1], MAX_WIDTH)[None])
        _, _, certainties = decode(self._net.forward()[0])
        return certainties


@cache
def _classifier() -> Any:
    return _network(_CLASSIFIER)


def _network(name: str) -> Any:
    return cv2.dnn.readNetFromONNX(str(package_folder() / "models" / name))
