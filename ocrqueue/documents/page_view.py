"""The image of a page for people, in the position in which the page was read."""

import math
from typing import TYPE_CHECKING

from PIL import Image

from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.transforms import Transform, between, chained, scaled

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_REDUCED = 1.1  # pixels of the page for one of the view from which the page is reduced first, so that no line gets lost


def view(page: PageImage, size: tuple[int, int], transform: Transform, width: int) -> "PillowImage":
    """The page as it was read, `width` pixels wide.

    `size` (pixels) and `transform` (to the page in the file) are those of the image that was read; so a point (x, y) of
    it is (x, y) times width / size[0] here. `page` is the page as it is rendered now, in any size and position.
    """
    target = width, max(1, round(size[1] * width / size[0]))
    to_page = scaled(between(transform, page.transform), size[0] / target[0], size[1] / target[1])
    image = page.image
    a, b, _, d, e, _ = to_page
    factor = math.sqrt(abs(a * e - b * d))
    if factor > _REDUCED:
        small = max(1, round(image.width / factor)), max(1, round(image.height / factor))
        to_page = chained(to_page, (small[0] / image.width, 0.0, 0.0, 0.0, small[1] / image.height, 0.0))
        image = image.resize(small, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image.transform(
        target, Image.Transform.AFFINE, to_page, Image.Resampling.BICUBIC, fillcolor=(255,) * len(image.getbands())
    )
