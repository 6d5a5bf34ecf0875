"""The image of a page, and how it lies in its file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocrqueue.documents.transforms import Transform

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as an engine sees it. Whoever asked for it closes `image`."""

    image: "Image"  # RGB; from `render`, upright according to the file's own tags
    dpi: float  # resolution of `image`; 72 (a pixel a point) for an image file that names no plausible one
    rotation: float  # degrees the page was turned clockwise to be upright, 0 to 360; from `render` 0, 90, 180 or 270
    transform: Transform  # from pixels of `image` to the page in the file, see `Document.render`

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.image.width

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.image.height
