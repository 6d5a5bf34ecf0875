"""Scales page images to the few sizes that a model sees, because memory grows with the number of different sizes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_STEPS = 4  # sizes between a side and its double
_SHRINK = 0.97  # factor by which a page is scaled down until its padded size is small enough


@dataclass(frozen=True, slots=True)
class View:
    """Maps points of the image that a model sees to the page: the page is scaled, at the top left, on white padding."""

    page: tuple[int, int]  # width and height of the page image, in pixels
    shown: tuple[int, int]  # width and height of the image that the model sees, padding included, in pixels
    scale: float = 1.0  # pixels of the model's image per pixel of the page image

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The point of the page image for a point of the model's image, moved into the page if it lies outside."""
        return min(max(x / self.scale, 0.0), float(self.page[0])), min(max(y / self.scale, 0.0), float(self.page[1]))


def bucket(side: int, unit: int) -> int:
    """A side in pixels, rounded up to a size in use: multiples of `unit` up to 4, then four sizes per doubling."""
    count = max(1, math.ceil(side / unit))
    step = max(1, (1 << ((count - 1).bit_length() - 1 if count > 1 else 0)) // _STEPS)
    return math.ceil(count / step) * step * unit


def fit_size(
    page: tuple[int, int],
    unit: int,
    max_pixels: int,
    buckets: bool,
    longest: int | None = None,
    doubled_below: int = 0,
) -> tuple[tuple[int, int], View]:
    """The size in pixels to which a page is scaled, and its view.

    The image that the model sees has at most `max_pixels`. With `buckets` it is padded to a size in use (`bucket`),
    else it has the scaled size. A page with both sides below `doubled_below` is shown twice as large, others never
    larger than they are. With `longest` its longer side has exactly this length, and nothing else counts.
    """
    width, height = page
    if longest:
        scale = longest / max(page)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return size, View(page, size, scale)
    scale = min(2.0 if max(page) < doubled_below else 1.0, math.sqrt(max_pixels / (width * height)))
    while True:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        shown = (bucket(size[0], unit), bucket(size[1], unit)) if buckets else size
        if shown[0] * shown[1] <= max_pixels or min(shown) <= unit or not buckets:
            return size, View(page, shown, scale)
        scale *= _SHRINK


def fit_page(
    page: "Image",
    unit: int,
    max_pixels: int,
    buckets: bool,
    longest: int | None = None,
    doubled_below: int = 0,
) -> "tuple[Image, View]":
    """Scale and pad a page image as `fit_size` says. Returns the RGB image for the model, and the view."""
    from PIL import Image

    size, view = fit_size(page.size, unit, max_pixels, buckets, longest, doubled_below)
    image = page.convert("RGB")
    if size != page.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if view.shown != size:
        padded = Image.new("RGB", view.shown, "white")
        padded.paste(image, (0, 0))
        image = padded
    return image, view
