"""Tiles: beginnings of text lines, cut out of a page as they look when the page is turned."""

import itertools
from typing import Any

import cv2
import numpy as np

from ocrqueue.documents.transforms import Transform, apply, chained, scaled
from ocrqueue.geometry import bounds
from ocrqueue.upright.canvas import turned_size, warp_matrix, way_back
from ocrqueue.upright.ink import Ink
from ocrqueue.vision.components import components_of
from ocrqueue.vision.ppocr import LINE_HEIGHT

MAX_WIDTH = 288  # pixels of a tile; its height is LINE_HEIGHT
_LONG = 3.0  # times its height: a line is at least so wide
_HEIGHTS = (0.7, 3.0)  # ems: least and largest height of a line
_FILLED = 0.3  # share of a line's box that is ink, at least
_INKED = 60  # of 255: ink differs from the paper of a tile by more
_MARGIN = 0.2  # share of a line's height that a tile shows above and below it

LineBox = tuple[int, int, int, int]  # x, y, width, height in pixels of the turned mask


def tiles(ink: Ink, degrees: float, count: int) -> list[Any]:
    """Cut out the beginnings of up to `count` lines of the page as it looks when turned clockwise by `degrees`.

    Each tile is RGB, uint8, `LINE_HEIGHT` pixels high and at most `MAX_WIDTH` wide. The tiles come from all parts of
    the page, the longest lines of each part first. The list is empty where the turned page has no level lines.
    """
    level = ink.mask
    if degrees:
        matrix = warp_matrix(way_back(ink.size, degrees))
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        level = cv2.warpAffine(ink.mask, matrix, turned_size(ink.size, degrees), flags=flags)
    back = chained(way_back(ink.size, degrees), (ink.factor, 0, 0, 0, ink.factor, 0))
    return [_tile(ink, box, back) for box in _line_boxes(level, ink.em, count)]


def _line_boxes(level: Any, em: float, count: int) -> list[LineBox]:
    """Up to `count` lines of a mask, found by joining characters to the right and left.

    The mask is divided into `count` horizontal bands. The longest line of each band comes first, then the second
    longest, and so on. Lines that fill a tile count as equally long.
    """
    reach = max(3, round(em * 1.2)) | 1
    lines = cv2.morphologyEx(level, cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8), borderValue=0)
    found = components_of(lines)
    width, height = found.width, found.height
    fits = (_HEIGHTS[0] * em <= height) & (height <= _HEIGHTS[1] * em) & (width >= _LONG * height)
    fits &= found.area >= _FILLED * width * height
    bands: list[list[LineBox]] = [[] for _ in range(count)]
    for box in np.stack([found.x, found.y, width, height], axis=1)[fits].tolist():
        bands[box[1] * count // level.shape[0]].append(tuple(box))
    for band in bands:
        band.sort(key=lambda box: -min(box[2] / box[3], MAX_WIDTH / LINE_HEIGHT))
    ranks = itertools.zip_longest(*bands)
    return [box for rank in ranks for box in rank if box is not None][:count]


def _tile(ink: Ink, box: LineBox, back: Transform) -> Any:
    """One tile, cut from the page in its full size. `back` leads from the turned mask to the page."""
    x, y, width, height = box
    top, tall = y - _MARGIN * height, height * (1 + 2 * _MARGIN)
    left, wide = x - tall / 8, min(width + tall / 4, tall * MAX_WIDTH / LINE_HEIGHT)
    corners = [apply(back, x, y) for x in (left, left + wide) for y in (top, top + tall)]
    page_left, page_top, page_right, page_bottom = bounds(corners)
    # The part of the page with the line, and two pixels around it for the interpolation.
    x0, y0 = max(0, int(page_left) - 2), max(0, int(page_top) - 2)
    x1, y1 = min(ink.page.width, int(page_right) + 3), min(ink.page.height, int(page_bottom) + 3)
    step = max(1, int(tall * ink.factor / LINE_HEIGHT))
    pixels = np.asarray(ink.page.crop((x0, y0, x1, y1)).reduce(step))
    zoom = tall / LINE_HEIGHT
    to_page = chained((1, 0, left, 0, 1, top), back)  # from pixels of the mask, counted from the line's corner
    to_part = scaled(chained(to_page, (1, 0, -x0, 0, 1, -y0)), zoom, zoom)  # from pixels of the tile
    matrix = warp_matrix(chained(to_part, (1 / step, 0, 0, 0, 1 / step, 0)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (max(1, round(wide / zoom)), LINE_HEIGHT)
    return cv2.warpAffine(pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def unstacked(tile: Any) -> Any:
    """The tile of a vertical line, which lies on its side, with each character turned clockwise by a quarter turn."""
    paper = np.median(tile, axis=(0, 1)).astype(np.uint8)
    inked = (np.abs(tile.astype(np.int16) - paper).max(axis=2) > _INKED).any(axis=0)
    side = LINE_HEIGHT
    cells = []
    for start, end in _characters(inked, round(side / (1 + 2 * _MARGIN))):
        cell = np.full((side, side, 3), paper, np.uint8)
        character = np.rot90(tile[:, start:end], -1)
        above = (side - len(character)) // 2
        cell[above : above + len(character)] = character
        cells.append(cell)
    return np.hstack(cells) if cells else tile


def _characters(inked: Any, em: int) -> list[tuple[int, int]]:
    """Start and end of each character along a row of columns with or without ink; none is much wider than `em`."""
    found: list[tuple[int, int]] = []
    for column in np.nonzero(inked)[0].tolist():
        if found and column - found[-1][0] < em + 2:
            found[-1] = (found[-1][0], column + 1)
        else:
            found.append((column, column + 1))
    return found
