"""The page that the layout models see: the page of a PDF, or a page made of an image and the lines read on it.

A sheet lies as the page was read: upright, its origin at the top left corner, y down. Sizes are in points.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocrqueue.documents import Document
from ocrqueue.geometry import Quad, Rect, bounds
from ocrqueue.pages import Line, PageText
from ocrqueue.states import Origin
from ocrqueue.storage.results import PageFacts

if TYPE_CHECKING:
    from PIL.Image import Image

_A4 = 842.0  # points: the longer side of a page whose resolution is not plausible
_LONGEST = 1300.0  # points: the longer side of a page with a plausible resolution, at most; A3 has 1,191
_SHORTEST = 150.0  # points: the same, at least
_IMAGE_DPI = 100  # dots per inch of the image on a made page; the models look at it at 72
_QUALITY = 85  # of the JPEG
_SUNK = 0.2  # share of a line's height below its baseline


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of PyMuPDF as the models see it."""

    page: Any
    width: float  # in points
    height: float
    scale: tuple[float, float]  # points per pixel of the page image, across and down
    is_source: bool  # whether it is the page of a PDF, with its fonts and drawings

    def rect(self, box: Quad) -> Rect:
        """The rectangle around a box in pixels of the page image."""
        (sx, sy), (left, top, right, bottom) = self.scale, bounds(box)
        return left * sx, top * sy, right * sx, bottom * sy

    def quad(self, rect: Rect) -> Quad:
        """A rectangle of the sheet in pixels of the page image."""
        sx, sy = self.scale
        left, top, right, bottom = rect[0] / sx, rect[1] / sy, rect[2] / sx, rect[3] / sy
        return (left, top), (right, top), (right, bottom), (left, bottom)


@contextlib.contextmanager
def sheet_of(
    document: Document | None, number: int, page: PageText, facts: PageFacts, image: "Image | None"
) -> Iterator[Sheet | None]:
    """The sheet of page `number` (from 1) of a document; None if there is neither a text layer nor an image.

    `image` is the page image to which the boxes refer, of any resolution. Raises what PyMuPDF raises.
    """
    from ocrqueue.documents.pdf.mupdf import pymupdf

    read = sum(len(line.text) for line in page.lines if line.origin == Origin.OCR)
    total = sum(len(line.text) for line in page.lines)
    pdf = getattr(document, "pdf", None)
    if not (facts.width and facts.height):
        yield None
    elif pdf is not None and 2 * read < total and facts.rotation % 90 == 0:
        lines = [line for line in page.lines if line.origin == Origin.OCR]
        with _source(pymupdf, pdf, number, int(facts.rotation), bool(lines)) as source:
            width, height = source.rect.width, source.rect.height
            sheet = Sheet(source, width, height, (width / facts.width, height / facts.height), is_source=True)
            _draw(pymupdf, sheet, lines)
            yield sheet
    elif image is not None:
        with pymupdf.open() as made:
            scale = _scale(facts)
            size = facts.width * scale, facts.height * scale
            sheet = Sheet(made.new_page(width=size[0], height=size[1]), *size, (scale, scale), is_source=False)
            sheet.page.insert_image(sheet.page.rect, stream=_jpeg(image, size), keep_proportion=False)
            _draw(pymupdf, sheet, page.lines)
            yield sheet
    else:
        yield None


@contextlib.contextmanager
def _source(pymupdf: Any, pdf: Any, number: int, rotation: int, is_changed: bool) -> Iterator[Any]:
    """The page of a PDF, turned as it was read. The document stays as it is: a page to be changed is copied."""
    page = pdf[number - 1]
    if not (rotation or page.rotation or is_changed):
        yield page
        return
    with pymupdf.open() as copied:
        copied.insert_pdf(pdf, from_page=number - 1, to_page=number - 1, links=False, final=True)
        page = copied[0]
        page.set_rotation(rotation)
        page.remove_rotation()
        yield copied[0]


def _scale(facts: PageFacts) -> float:
    """Points per pixel of a made page. Type has a usual size on it, whatever resolution the file states."""
    longer = max(facts.width or 1, facts.height or 1)
    if facts.dpi and _SHORTEST <= longer * 72 / facts.dpi <= _LONGEST:
        return 72 / facts.dpi
    return _A4 / longer


def _jpeg(image: "Image", size: tuple[float, float]) -> bytes:
    """The image as JPEG, at most `_IMAGE_DPI` on a page of this size in points."""
    from PIL import Image as Pillow

    wanted = max(1, round(size[0] * _IMAGE_DPI / 72)), max(1, round(size[1] * _IMAGE_DPI / 72))
    small = image if image.width <= wanted[0] else image.resize(wanted, Pillow.Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    small.convert("RGB").save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _draw(pymupdf: Any, sheet: Sheet, lines: Sequence[Line]) -> None:
    """Draw lines as invisible text, each as wide and high as its box."""
    if not lines:
        return
    font = pymupdf.Font("cjk")
    sheet.page.insert_font(fontname="read", fontbuffer=font.buffer)
    for line in lines:
        left, top, right, bottom = sheet.rect(line.box)
        height, width = bottom - top, right - left
        text = " ".join(line.text.split())
        natural = font.text_length(text, fontsize=height) if height > 0 else 0.0
        if natural <= 0 or width <= 0:
            continue
        start = pymupdf.Point(left, bottom - _SUNK * height)
        stretch = pymupdf.Matrix(width / natural, 0, 0, 1, 0, 0)
        sheet.page.insert_text(start, text, fontsize=height, fontname="read", morph=(start, stretch), render_mode=3)
