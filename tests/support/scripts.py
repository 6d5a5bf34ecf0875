"""Pages with text in any script, drawn with the fonts in PyMuPDF."""

from pathlib import Path

from PIL import Image

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.pages import is_right_to_left

PANGRAMS = {  # by language
    "en": "The quick brown fox jumps over the lazy dog",
    "ru": "Съешь же ещё этих мягких французских булок",
    "he": "כל בני האדם נולדו בני חורין (1948) ושווים בערכם ובזכויותיהם.",
    "ar": "وعليهم أن يعامل بعضهم بعضا [بروح الإخاء] لكل إنسان",
}


def pdf_of(*paragraphs: str, size: int = 14) -> "pymupdf.Document":
    """A page of A5 with these paragraphs."""
    document = pymupdf.open()
    page = document.new_page(width=420, height=595)
    text = "".join(
        f'<p dir="{"rtl" if is_right_to_left(paragraph) else "ltr"}" style="font-size:{size}px">{paragraph}</p>'
        for paragraph in paragraphs
    )
    page.insert_htmlbox(pymupdf.Rect(30, 30, 400, 560), text)
    return document


def image_of(*paragraphs: str, size: int = 14, dpi: int = 200) -> Image.Image:
    """The same page as an RGB image."""
    return pdf_of(*paragraphs, size=size)[0].get_pixmap(dpi=dpi).pil_image()


def scan_of(path: Path, *paragraphs: str, dpi: int = 150) -> Path:
    """The same page as an image file, so that there is no text layer."""
    image_of(*paragraphs, dpi=dpi).save(path, dpi=(dpi, dpi))
    return path
