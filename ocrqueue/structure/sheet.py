"""The page that the layout models see: the page of a PDF, or a page made of an image and the lines read on it.

A sheet lies as the page was read: upright, its origin at the top left corner, y down. Sizes are in points. A page whose
text runs to the left is seen in a mirror: columns, indents and tables then follow the rules of text that runs to the
right, and the models, which know such text best, see more of it.
"""

import contextlib
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ocrqueue.documents import Document
from ocrqueue.geometry import Quad, Rect, bounds, mirrored
from ocrqueue.layout.pieces import runs_leftwards
from ocrqueue.pages import PageText
from ocrqueue.states import Origin
from ocrqueue.storage.results import PageFacts

if TYPE_CHECKING:
    from PIL.Image import Image

_FEW = 0.2  # share of the characters that were read by OCR, below which a page is seen as its PDF shows it
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
    is_mirrored: bool = False  # whether it is the page in a mirror, because its text runs to the left

    def rect(self, box: Quad) -> Rect:
        """The rectangle around a box in pixels of the page image."""
        (sx, sy), (left, top, right, bottom) = self.scale, bounds(box)
        return self._turned((left * sx, top * sy, right * sx, bottom * sy))

    def quad(self, rect: Rect) -> Quad:
        """A rectangle of the sheet in pixels of the page image."""
        (sx, sy), placed = self.scale, self._turned(rect)
        left, top, right, bottom = placed[0] / sx, placed[1] / sy, placed[2] / sx, placed[3] / sy
        return (left, top), (right, top), (right, bottom), (left, bottom)

    @property
    def mirrors_source(self) -> bool:
        """Whether what is found on `page` still has to be mirrored. A page that was made shows the mirror image."""
        return self.is_mirrored and self.is_source

    def seen(self, rect: Rect) -> Rect:
        """A rectangle of `page` as it is on the sheet."""
        return mirrored(rect, self.width) if self.mirrors_source else rect

    def _turned(self, rect: Rect) -> Rect:
        return mirrored(rect, self.width) if self.is_mirrored else rect


@contextlib.contextmanager
def sheet_of(
    document: Document | None, number: int, page: PageText, facts: PageFacts, image: "Image | None"
) -> Iterator[Sheet | None]:
    """The sheet of page `number` (from 1) of a document; None if there is neither a text layer nor an image.

    The page of the PDF is best, for its fonts and drawings. But the models leave invisible text out where there is
    visible text, so a page of which much was read by OCR is made of its image, with all lines as invisible text.
    `image` is the page image to which the boxes refer, of any resolution. Raises what PyMuPDF raises.
    """
    from ocrqueue.documents.pdf.mupdf import pymupdf

    read = sum(len(line.text) for line in page.lines if line.origin == Origin.OCR)
    total = sum(len(line.text) for line in page.lines)
    pdf, is_mirrored = getattr(document, "pdf", None), runs_leftwards(page.lines)
    if not (facts.width and facts.height):
        yield None
    elif pdf is not None and read < total * (_FEW if image else 1) and facts.rotation % 90 == 0:
        with _source(pymupdf, pdf, number, int(facts.rotation)) as source:
            width, height = source.rect.width, source.rect.height
            scales = width / facts.width, height / facts.height
            yield Sheet(source, width, height, scales, is_source=True, is_mirrored=is_mirrored)
    elif image is not None:
        scale = _scale(facts)
        size = facts.width * scale, facts.height * scale
        sheet = Sheet(None, *size, (scale, scale), is_source=False, is_mirrored=is_mirrored)
        placed = [(line.text, sheet.rect(line.box)) for line in page.lines]
        with _made_page(pymupdf, _jpeg(image, size, is_mirrored), size, placed) as made:
            yield replace(sheet, page=made)
    else:
        yield None


@contextlib.contextmanager
def _source(pymupdf: Any, pdf: Any, number: int, rotation: int) -> Iterator[Any]:
    """The page of a PDF, turned as it was read. The document stays as it is: a page to be turned is copied."""
    page = pdf[number - 1]
    if not (rotation or page.rotation):
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


def _jpeg(image: "Image", size: tuple[float, float], is_mirrored: bool) -> tuple[bytes, int, int]:
    """The image as JPEG with its width and height in pixels, at most `_IMAGE_DPI` on a page of this size in points."""
    from PIL import Image as Pillow

    wanted = max(1, round(size[0] * _IMAGE_DPI / 72)), max(1, round(size[1] * _IMAGE_DPI / 72))
    small = image if image.width <= wanted[0] else image.resize(wanted, Pillow.Resampling.LANCZOS, reducing_gap=2.0)
    if is_mirrored:
        small = small.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    file = io.BytesIO()
    small.convert("RGB").save(file, "JPEG", quality=_QUALITY)
    return file.getvalue(), small.width, small.height


@cache
def _made() -> tuple[Any, Any, int]:
    """A PDF for made pages, a font with the characters of most scripts, and the number of its object in the PDF.

    One PDF for all pages: the font has 3.5 MB.
    """
    from ocrqueue.documents.pdf.mupdf import pymupdf

    font, pdf = pymupdf.Font("cjk"), pymupdf.open()
    return pdf, font, int(pdf.new_page().insert_font(fontname="read", fontbuffer=font.buffer))


@contextlib.contextmanager
def _made_page(
    pymupdf: Any, image: tuple[bytes, int, int], size: tuple[float, float], lines: Sequence[tuple[str, Rect]]
) -> Iterator[Any]:
    """A page of this size in points, with an image and lines on it. Afterwards hardly anything of it is in memory.

    Written without PyMuPDF's `insert_image`, which remembers images that are gone, and `insert_text`, which writes the
    contents of the page anew for each line.
    """
    pdf, font, font_xref = _made()
    page = pdf.new_page(width=size[0], height=size[1])
    jpeg, width, height = image
    entries = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8"
    )
    picture = _add(pdf, entries, jpeg)
    pdf.xref_set_key(picture, "Filter", "/DCTDecode")  # after the stream, which removes it
    drawing = f"q {size[0]:.3f} 0 0 {size[1]:.3f} 0 0 cm /image Do Q\n" + _text(font, lines, size[1])
    contents = _add(pdf, "", drawing.encode())
    resources = f"<< /Font << /read {font_xref} 0 R >> /XObject << /image {picture} 0 R >> >>"
    pdf.xref_set_key(page.xref, "Resources", resources)
    pdf.xref_set_key(page.xref, "Contents", f"{contents} 0 R")
    number = page.number
    try:
        yield pdf.reload_page(page)
    finally:
        pdf.delete_page(number)
        for xref in (picture, contents):
            pdf.update_object(xref, "null")
        pymupdf.TOOLS.store_shrink(100)  # MuPDF would keep the image


def _add(pdf: Any, entries: str, stream: bytes) -> int:
    """Add an object with a stream to a PDF. Returns its number."""
    xref = int(pdf.get_new_xref())
    pdf.update_object(xref, f"<< {entries} >>")
    pdf.update_stream(xref, stream, new=True, compress=False)
    return xref


def _glyph(font: Any, char: str) -> int:
    """The number of a character's glyph; of a digit or a small letter in its place, where the font has no such script.

    The models look at digits, marks and capitals, not at words.
    """
    found = font.has_glyph(ord(char))
    if not found:
        kind = unicodedata.category(char)[0]
        found = font.has_glyph(ord({"N": "0", "L": "x", "M": "x"}.get(kind, "'")))
    return int(found)


def _text(font: Any, lines: Sequence[tuple[str, Rect]], page_height: float) -> str:
    """Operators that draw lines as invisible text (ISO 32000-1, 9.3.6), each as wide and high as its box in points."""
    drawn = []
    for line, (left, top, right, bottom) in lines:
        height, width = bottom - top, right - left
        text = " ".join(line.split())
        natural = font.text_length(text, fontsize=height) if height > 0 else 0.0
        if natural <= 0 or width <= 0:
            continue
        glyphs = "".join(f"{_glyph(font, char):04x}" for char in text)
        baseline, stretch = page_height - (bottom - _SUNK * height), width / natural
        drawn.append(f"/read {height:.3f} Tf {stretch:.5f} 0 0 1 {left:.3f} {baseline:.3f} Tm <{glyphs}> Tj")
    return "BT 3 Tr " + "\n".join(drawn) + " ET"
