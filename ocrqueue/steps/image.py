"""Makes the image of a page, for people who look at its text beside it."""

import math
from typing import Any

from ocrqueue.documents import PageImage, open_document
from ocrqueue.errors import StorageError
from ocrqueue.ledger import Job
from ocrqueue.limits import Limits
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.spool import Spool

_DPI = 100  # dots per inch of a PDF's page that was not read
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
            image = document.render(wanted.number, _dpi(page, wanted.width), _DPI)
    except (FileNotFoundError, ValueError) as e:
        raise StorageError("the document is no longer in the spool; submit it again") from e
    with image.image, spool.open_write_bytes(job.id, wanted.name) as output:
        _shown(image, page, wanted.width).save(output, wanted.format.upper(), quality=85)
    return wanted.name


def _shown(image: PageImage, page: dict[str, Any], width: int | None) -> Any:
    """The image to store. `width` is at most that of the page; None: its own."""
    from ocrqueue.documents.page_view import view

    size, transform = (image.width, image.height), image.transform
    if page.get("transform") and page["width"] and page["height"]:
        size, transform = (page["width"], page["height"]), tuple(page["transform"])
    return view(image, size, transform, min(width or size[0], size[0]))


def _dpi(page: dict[str, Any], width: int | None) -> int | None:
    """Dots per inch at which a PDF's page has the pixels that are wanted; None if that is not known."""
    dpi, own = page.get("dpi"), page.get("width")
    if not dpi or not own:
        return None
    wanted: int = math.ceil(dpi * min(1.0, (width or own) / own))
    return max(_LEAST_DPI, wanted)
