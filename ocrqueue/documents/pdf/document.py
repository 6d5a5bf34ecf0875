"""PDF documents, rendered by PyMuPDF. Nothing in a PDF is executed, and no link is followed."""

import contextlib
import io
import logging
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from ocrqueue.documents.document import Document
from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.pdf.layer import Usable, usable_text
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.pdf.text import TextRun
from ocrqueue.documents.pdf.words import PlacedWords
from ocrqueue.documents.text_layer import TextLayer
from ocrqueue.documents.transforms import ORIENTATION_OF, Transform, chained, inverse, scaled, to_stored
from ocrqueue.errors import DocumentError, OcrError, PageFailure
from ocrqueue.geometry import Quad
from ocrqueue.limits import Limits
from ocrqueue.pages import Line
from ocrqueue.process.garbage import uncollected
from ocrqueue.states import Origin

log = logging.getLogger(__name__)

_POINTS = 72.0  # points per inch
# Percent of the 256 MB of MuPDF's cache that are not kept when a document is closed: up to 2.7 MB stay, small images of
# closed documents among them. With 100, a process needs up to 3.7 MB less, but the next document takes 4 ms more on
# average, and up to 38, because MuPDF loads tables of characters again.
_FREED = 99
_MAX_SIDE = 20_000.0  # points; ISO 32000-1, annex C, names 14,400 as the usual limit
_SCAN_DPI = (100.0, 400.0)  # dots per inch: the resolution of a scan is kept within these limits
_ENOUGH_PIXELS = 2000  # a scan with a longer side in pixels is never enlarged
_COVERS = 0.9  # share of the page that a single image covers at least if the page is a scan
_TEXT = ("fill-text", "stroke-text")  # what MuPDF calls visible text
# Warnings of MuPDF about images that it cannot decode.
_LOST = re.compile(r"Failed to (?:read|decode) JPX")
_SHORT = "padding truncated image"  # harmless alone: many writers omit a few bytes
_BROKEN = re.compile(r"read error|premature end of data|zlib error|faxd")
_CUT_JPEG = "premature end of file in jpeg"
_JPEG_END = b"\xff\xd9"  # the end marker (ITU-T T.81, EOI)
_GREY = range(126, 130)  # values of mid-grey, which libjpeg gives a block without data


class PdfDocument(Document):
    """A PDF. `pdf` is the document of PyMuPDF."""

    kind = "pdf"

    def __init__(self, pdf: Any, limits: Limits) -> None:
        self.pdf = pdf
        self.page_count = pdf.page_count
        self._limits = limits

    def render(self, number: int, dpi: int | None, engine_dpi: int) -> PageImage:
        """The page with its annotations and form fields, on white."""
        with guarded(PageFailure, "the page"):
            page = self.pdf[number - 1]
            _check_page(page, self._limits)
            pymupdf.TOOLS.reset_mupdf_warnings()
            zoom = _zoom(page, dpi or _scan_dpi(page) or engine_dpi, self._limits)
            pixmap = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), colorspace=pymupdf.csRGB, alpha=False)
            _check_images(page, pymupdf.TOOLS.mupdf_warnings())
            return _page_image(page, pixmap, zoom)

    @uncollected()
    def text_layer(self, number: int, dpi: int | None, engine_dpi: int) -> TextLayer | None:
        """The text that the file contains for page `number` (from 1); None if it is not what a reader sees."""
        started = time.monotonic()
        try:
            page = self.pdf[number - 1]
            _check_page(page, self._limits)
            usable = usable_text(page)
            if usable is None:
                return None
            zoom = _zoom(page, dpi or engine_dpi, self._limits)
            return _text_layer(page, usable, zoom, started)
        except Exception as error:  # noqa: BLE001 - see `guarded`; an engine reads the page instead
            log.warning("page=%d the text layer cannot be used: %s", number, _reason(error))
            return None

    def close(self) -> None:
        """Close the file, and free large decoded images in MuPDF's cache."""
        if not self.pdf.is_closed:
            self.pdf.close()
            pymupdf.TOOLS.store_shrink(_FREED)


def open_pdf(path: Path, limits: Limits, password: str | None) -> PdfDocument:
    """Open a PDF. MuPDF repairs damaged files where it can. A PDF with only an owner password opens without it.

    Raises DocumentError: `corrupt_file`, `empty_document`, `password_required`, `too_large`, `too_many_pages`.
    """
    with guarded(DocumentError, "the PDF"):
        pdf = pymupdf.open(str(path), filetype="pdf")
        try:
            _unlock(pdf, password)
            _check_count(pdf.page_count, limits)
            _check_tree(pdf)
        except BaseException:
            pdf.close()
            raise
        return PdfDocument(pdf, limits)


@contextlib.contextmanager
def guarded(failure: type[OcrError], what: str) -> Iterator[None]:
    """Raises any error in the `with` block as `failure`: `too_large` if memory is short, else `corrupt_file`."""
    try:
        yield
    except OcrError:
        raise
    except pymupdf.FileNotFoundError as error:
        raise failure("the file is gone: submit the document again", "source_unreachable") from error
    except Exception as error:  # PyMuPDF raises RuntimeError, ValueError, its own classes and MuPDF's
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise failure(f"{what} takes too much memory: save it with smaller images", "too_large") from error
        raise failure(f"{what} is damaged ({_reason(error)}): export or scan it again", "corrupt_file") from error


def _reason(error: Exception) -> str:
    if isinstance(error, pymupdf.FileDataError):  # its message contains a path of this machine
        return "its structure cannot be read"
    return re.sub(r"^code=\d+: ", "", " ".join(str(error).split()))[:200]


def _unlock(pdf: Any, password: str | None) -> None:
    if not pdf.needs_pass:
        return
    if password is None:
        raise DocumentError("the PDF needs a password: send it (--password-file, or password=…)", "password_required")
    if not pdf.authenticate(password):
        raise DocumentError("the password does not open this PDF: send the right one", "password_required")


def _check_count(count: int, limits: Limits) -> None:
    if count < 1:
        raise DocumentError("the PDF has no pages: export it again", "empty_document")
    if count > limits.max_pages:
        allowed = f"{limits.max_pages:,} are allowed: send it in parts, or raise OCR_MAX_PAGES"
        raise DocumentError(f"the PDF has {count:,} pages, {allowed}", "too_many_pages")


def _check_tree(pdf: Any) -> None:
    """Raise DocumentError if the page tree contains a cycle: MuPDF would silently lose pages."""
    pymupdf.TOOLS.reset_mupdf_warnings()
    with contextlib.suppress(Exception):  # a damaged first page fails later, as a page
        pdf.load_page(0)
    if "cycle in page tree" in pymupdf.TOOLS.mupdf_warnings():
        raise DocumentError("the page tree of the PDF contains a cycle: export it again", "corrupt_file")


def _check_page(page: Any, limits: Limits) -> None:
    """Raise PageFailure if the page or an image on it is too large to render."""
    width, height = page.rect.width, page.rect.height
    if not 0 < min(width, height) <= max(width, height) <= _MAX_SIDE:
        size = f"{width:,.0f} x {height:,.0f} points"
        raise PageFailure(f"the page measures {size}, {_MAX_SIDE:,.0f} are allowed: scale it down", "too_large")
    largest = max((image[2] * image[3] for image in page.get_images(full=True)), default=0)
    if largest > limits.max_source_pixels:
        allowed = f"{limits.max_source_pixels:,} are allowed: scale it down, or raise OCR_MAX_SOURCE_MEGAPIXELS"
        raise PageFailure(f"the page holds an image of {largest:,} pixels, {allowed}", "too_large")


def _largest_zoom(rect: Any, max_pixels: int) -> float:
    """The largest zoom z at which (z w + 1) (z h + 1) = max_pixels, solved for z: MuPDF rounds both sides up."""
    total, area = rect.width + rect.height, rect.width * rect.height
    return float((math.sqrt(total * total + 4 * area * (max_pixels - 1)) - total) / (2 * area))


def _zoom(page: Any, dpi: float, limits: Limits) -> float:
    """Pixels per point at this resolution, at most as many as `Limits.max_pixels` allows."""
    return min(dpi / _POINTS, _largest_zoom(page.rect, limits.max_pixels))


def _scan_dpi(page: Any) -> float | None:
    """The resolution in dpi of a page that shows one image and nothing else; None for any other page."""
    if not page.get_images():
        return None
    images = page.get_image_info()
    if len(images) != 1 or any(kind not in ("fill-image", "ignore-text") for kind, _ in page.get_bboxlog()):
        return None
    image = images[0]
    whole = pymupdf.Rect(0, 0, *_unrotated_size(page))
    if abs(pymupdf.Rect(image["bbox"]) & whole) < _COVERS * abs(whole):
        return None
    a, b, c, d, _, _ = image["transform"]  # maps the unit square to points of the page
    own = max(image["width"] / math.hypot(a, b), image["height"] / math.hypot(c, d)) * _POINTS
    low, high = _SCAN_DPI
    if max(image["width"], image["height"]) >= _ENOUGH_PIXELS:
        low = 0.0
    return float(min(max(own, low), high))


def _check_images(page: Any, warnings: str) -> None:
    """Raise PageFailure if MuPDF could not decode an image and the page has no text: it draws such an image blank."""
    lost = _LOST.search(warnings) or (_SHORT in warnings and _BROKEN.search(warnings))
    cut = lost or (_CUT_JPEG in warnings and _has_cut_jpeg(page))
    if cut and not any(kind in _TEXT for kind, _ in page.get_bboxlog()):
        raise PageFailure("the image on the page is damaged: export or scan it again", "corrupt_file")


def _has_cut_jpeg(page: Any) -> bool:
    """Whether a JPEG on the page lacks pixels. MuPDF gives the same warning if only the end marker is missing."""
    jpegs = [image for image in page.get_images(full=True) if image[8] == "DCTDecode"]
    return any(_is_cut(page.parent.xref_stream_raw(xref)) for xref, *_ in jpegs)


def _is_cut(jpeg: bytes) -> bool:
    """Whether the last block of 8 x 8 pixels is missing: libjpeg fills a block without data with mid-grey."""
    try:
        with Image.open(io.BytesIO(jpeg + _JPEG_END), formats=["JPEG"]) as image:
            image.draft(
                None, (max(1, image.width // 4), max(1, image.height // 4))
            )  # a quarter of the size: 2 x 2 pixels per block
            width, height = image.size
            block = image.crop(((width - 1) // 2 * 2, (height - 1) // 2 * 2, width, height))
            return all(value in _GREY for value in block.tobytes())
    except Exception:  # noqa: BLE001 - Pillow raises almost any exception for damaged bytes
        return True


def _page_image(page: Any, pixmap: Any, zoom: float) -> PageImage:
    size = (pixmap.width, pixmap.height)
    image = Image.frombytes("RGB", size, pixmap.samples_mv, "raw", "RGB", pixmap.stride)
    return PageImage(image, zoom * _POINTS, _rotation(page), _transform(page, zoom))


def _transform(page: Any, zoom: float) -> Transform:
    """From pixels of the rendered page to points of the unrotated page, as in `Document.render`."""
    to_page = to_stored(ORIENTATION_OF[_rotation(page)], *_unrotated_size(page))
    return scaled(to_page, 1 / zoom, 1 / zoom)


def _text_layer(page: Any, usable: Usable, zoom: float, started: float) -> TextLayer:
    """The usable text with boxes in pixels of the page rendered at `zoom`. `started` is of `time.monotonic`."""
    size = (page.rect * pymupdf.Matrix(zoom, zoom)).irect
    return TextLayer(
        width=size.width,
        height=size.height,
        dpi=zoom * _POINTS,
        rotation=_rotation(page),
        transform=_transform(page, zoom),
        lines=tuple(_line(run, zoom) for run in usable.runs),
        is_whole=not usable.unread,
        seconds=time.monotonic() - started,
        lost=usable.lost,
    )


def _line(run: TextRun, zoom: float) -> Line:
    """A line of text with boxes in pixels."""
    words = PlacedWords(run.words, run.corners, zoom)
    return Line(run.text, _pixels(run.quad, zoom), origin=Origin.TEXT_LAYER, words=words)


def _pixels(quad: Quad, zoom: float) -> Quad:
    """A quad in points as a quad in pixels."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad
    return (ax * zoom, ay * zoom), (bx * zoom, by * zoom), (cx * zoom, cy * zoom), (dx * zoom, dy * zoom)


def _unrotated_size(page: Any) -> tuple[float, float]:
    """Width and height in points before /Rotate is applied, as `get_image_info` and `get_text` use them."""
    width, height = page.rect.width, page.rect.height
    return (height, width) if _rotation(page) in (90, 270) else (width, height)


def to_user_space(page: Any) -> Transform:
    """From points of the unrotated page, as in `Document.render`, to the user space of the page's operators."""
    matrix = _page_matrix(page)
    to_view = (matrix.a, matrix.c, matrix.e, matrix.b, matrix.d, matrix.f)
    to_unrotated = to_stored(ORIENTATION_OF[_rotation(page)], *_unrotated_size(page))
    return chained(inverse(to_unrotated), inverse(to_view))


def _rotation(page: Any) -> int:
    """Degrees clockwise by which MuPDF turns the page. PyMuPDF's `page.rotation` is 0 for odd values of /Rotate."""
    matrix = _page_matrix(page)
    return round(math.degrees(math.atan2(matrix.b, matrix.a))) % 360


def _page_matrix(page: Any) -> Any:
    """From the user space of the page to the page as displayed, in points from its top left corner."""
    matrix = pymupdf.mupdf.FzMatrix()
    pdf_page = pymupdf.mupdf.pdf_page_from_fz_page(page.this)
    pymupdf.mupdf.pdf_page_transform(pdf_page, pymupdf.mupdf.FzRect(), matrix)
    return matrix
