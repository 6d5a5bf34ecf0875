"""Page images as a model sees them: of a few sizes only, so that memory does not grow with the number of shapes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_STEPS = 4  # sizes in each doubling of a side


@dataclass(frozen=True, slots=True)
class View:
    """How a page lies in the image that a model sees: scaled, at its top left corner, white to the right and below."""

    page: tuple[int, int]  # width and height of the page image
    shown: tuple[int, int]  # width and height of what the model sees
    scale: float = 1.0  # pixels of what the model sees for one of the page image

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The point of the page image at a pixel of what the model sees, within the page."""
        return min(max(x / self.scale, 0.0), float(self.page[0])), min(max(y / self.scale, 0.0), float(self.page[1]))


def bucket(side: int, unit: int) -> int:
    """The side rounded up to a size in use: multiples of `unit` up to 4, then four sizes in each doubling."""
    count = max(1, math.ceil(side / unit))
    step = max(1, (1 << ((count - 1).bit_length() - 1 if count > 1 else 0)) // _STEPS)
    return math.ceil(count / step) * step * unit


def fit_size(page: tuple[int, int], unit: int, max_pixels: int, buckets: bool) -> tuple[tuple[int, int], View]:
    """The size that a page is scaled to, and how it then lies in what the model sees."""
    width, height = page
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    while True:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        shown = (bucket(size[0], unit), bucket(size[1], unit)) if buckets else size
        if shown[0] * shown[1] <= max_pixels or min(shown) <= unit or not buckets:
            return size, View(page, shown, scale)
        scale *= 0.97


def fit_page(page: "Image", unit: int, max_pixels: int, buckets: bool) -> "tuple[Image, View]":
    """The page as it is shown to the model: no more than `max_pixels`, padded to a size in use where asked."""
    from PIL import Image

    size, view = fit_size(page.size, unit, max_pixels, buckets)
    image = page.convert("RGB")
    if size != page.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if view.shown != size:
        padded = Image.new("RGB", view.shown, "white")
        padded.paste(image, (0, 0))
        image = padded
    return image, view
