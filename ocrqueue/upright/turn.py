"""A page image, turned: its pixels, and what is known of where they lie."""

import math
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.transforms import chained, scaled
from ocrqueue.upright.canvas import turned_size, warp_matrix, way_back

_QUARTERS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
_FRAME = 200  # pixels along each side that the background's colour is taken from


def turned(page: PageImage, degrees: float, max_pixels: int) -> PageImage:
    """The page turned clockwise, on a canvas that holds all of it; scaled down where that has more than `max_pixels`.

    Quarter turns keep every pixel as it is. The corners of other turns get the colour of the page's edges.
    """
    back = way_back(page.image.size, degrees)
    size = turned_size(page.image.size, degrees)
    scale = min(1.0, math.sqrt(max_pixels / (size[0] * size[1])))
    if scale < 1:
        size = math.floor(size[0] * scale), math.floor(size[1] * scale)
        back = scaled(back, 1 / scale, 1 / scale)
    quarter = _QUARTERS.get(int(degrees)) if degrees % 90 == 0 else None
    image = page.image.transpose(quarter) if quarter is not None else _warped(page.image, back, size)
    rotation = round((page.rotation + degrees) % 360, 2) % 360
    return PageImage(image, page.dpi * scale, rotation, chained(back, page.transform))


def _warped(image: Image.Image, back: Any, size: tuple[int, int]) -> Image.Image:
    pixels = np.asarray(image)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    colour = _background(image)
    return Image.fromarray(
        cv2.warpAffine(pixels, warp_matrix(back), size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=colour)
    )


def _background(image: Image.Image) -> tuple[int, ...]:
    """The middle value of each band along the page's four edges."""
    small = np.asarray(image.reduce(max(1, max(image.size) // _FRAME)))
    edges = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return tuple(int(v) for v in np.median(edges, axis=0))
