"""The image of a page, and its relation to the page in the file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocrqueue.documents.transforms import Transform

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as an engine sees it. The caller closes `image`."""

    image: "Image"  # RGB; after `render`, upright according to the tags of the file
    dpi: float  # of `image`; `UNKNOWN_DPI` for an image file that states no plausible resolution
    rotation: float  # degrees clockwise by which the page was turned, 0 to 360; after `render` a quarter turn
    transform: Transform  # from pixels of `image` to the page in the file: see `Document.render`

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.image.height
