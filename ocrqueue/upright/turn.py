"""Turning a page image: its pixels, and its transform to the page in the file."""

import math
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.transforms import chained, scaled
from ocrqueue.upright.canvas import turned_size, warp_matrix, way_back

# By degrees clockwise; Pillow counts them counter-clockwise.
_QUARTERS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
_FRAME = 200  # pixels: the page is reduced to about this longer side before the colour of its edges is taken


def turned(page: PageImage, degrees: float, max_pixels: int) -> PageImage:
    """The page turned clockwise by `degrees`, on a canvas that contains all of it, scaled down to `max_pixels`.

    Quarter turns only move pixels. After other turns the corners have the colour of the page's edges.
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
    """An image of `size`, whose pixels are those of `image` at the points to which `back` leads."""
    pixels = np.asarray(image)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    colour = _background(image)
    return Image.fromarray(
        cv2.warpAffine(pixels, warp_matrix(back), size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=colour)
    )


def _background(image: Image.Image) -> tuple[int, ...]:
    """The median of each colour channel along the four edges of the page."""
    small = np.asarray(image.reduce(max(1, max(image.size) // _FRAME)))
    edges = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return tuple(int(v) for v in np.median(edges, axis=0))
