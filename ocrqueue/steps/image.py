"""Makes the image of a page, for people who look at its text beside it."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ocrqueue.documents import Document, PageImage, open_document
from ocrqueue.errors import PageFailure, StorageError
from ocrqueue.ledger import Job
from ocrqueue.limits import Limits
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.spool import Spool

if TYPE_CHECKING:
    from PIL.Image import Image

_DPI = 100  # dots per inch of a PDF's page that was not read
_LARGEST = {"webp": 16_383, "jpeg": 65_535}  # pixels of a side that a format allows
_LEAST_DPI = 18  # dots per inch; below, a PDF's page may have no pixels


def make_image(job: Job, wanted: PageImageFile, spool: Spool, limits: Limits) -> str:
    """Make the image of a page. Returns the name of its file in the job's folder. Does nothing if the file exists.

    A page that was read is shown as it was read, any other page as its file shows it. Raises DocumentError,
    PageFailure, StorageError.
    """
    if spool.exists(job.id, wanted.name):
        return wanted.name
    try:
        page = spool.read_page(job.id, wanted.number)
    except FileNotFoundError:  # it failed
        page = {}
    try:
        with (
            spool.local_source(job.id, job.source.file or "") as path,
            open_document(path, limits, spool.read_password(job.id), job.total) as document,
        ):
            image = as_read(document, wanted.number, page, wanted.width)
    except (FileNotFoundError, ValueError) as e:
        raise StorageError("the document is no longer in the spool; submit it again") from e
    largest = _LARGEST.get(wanted.format, max(image.size))
    if max(image.size) > largest:
        size = f"{image.width:,} x {image.height:,} pixels"
        image.close()
        raise PageFailure(
            f"the image of the page has {size}, and {wanted.format} allows {largest:,}: ask for png, or for less width",
            "too_large",
        )
    with image, spool.open_write_bytes(job.id, wanted.name) as output:
        image.save(output, wanted.format.upper(), quality=85)
    return wanted.name


def as_read(document: Document, number: int, page: Mapping[str, Any], width: int | None) -> "Image":
    """The image of page `number` of a document, at most `width` pixels wide (None: as many as it was read with).

    `page` is that of the result, which says how it was turned; without a transform the page is as its file shows it.
    Raises PageFailure.
    """
    image = document.render(number, _dpi(page, width), _DPI)
    shown: Image = _shown(image, page, width)
    if shown is not image.image:
        image.image.close()
    return shown


def _shown(image: PageImage, page: Mapping[str, Any], width: int | None) -> Any:
    """The image to store. `width` is at most that of the page; None: its own."""
    from ocrqueue.documents.page_view import view

    size, transform = (image.width, image.height), image.transform
    if page.get("transform") and page["width"] and page["height"]:
        size, transform = (page["width"], page["height"]), tuple(page["transform"])
    return view(image, size, transform, min(width or size[0], size[0]))


def _dpi(page: Mapping[str, Any], width: int | None) -> int | None:
    """Dots per inch at which a PDF's page has the pixels that are wanted; None if that is not known."""
    dpi, own = page.get("dpi"), page.get("width")
    if not dpi or not own:
        return None
    wanted: int = math.ceil(dpi * min(1.0, (width or own) / own))
    return max(_LEAST_DPI, wanted)
