"""Draws tests/data/scan.pdf from tests/data/scan.txt, like pages from a flat-bed scanner; always the same bytes.

Form feeds separate the pages of the text. It is set in the Times of PyMuPDF, slightly rotated, unevenly lit, blurred,
covered with noise and compressed. The PDF contains only images, so its text has to be recognised.
"""

import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ocrqueue.documents.pdf.mupdf import pymupdf

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
DPI = 200
SKEWS = (0.6, -0.4, 0.9, -0.8)  # degrees, one per page
WIDTH, HEIGHT = pymupdf.paper_size("a4")


def typeset(text: str) -> Image.Image:
    """A clean grey page of text, A4 at `DPI`."""
    with pymupdf.open() as document:
        page = document.new_page(width=WIDTH, height=HEIGHT)
        box = pymupdf.Rect(80, 90, WIDTH - 80, HEIGHT - 90)
        room = page.insert_textbox(box, text, fontname="tiro", fontsize=14, lineheight=1.35)
        if room < 0:
            raise SystemExit(f"a page of the text is too long by {-room:.0f} points")
        pixels = page.get_pixmap(dpi=DPI, colorspace=pymupdf.csGRAY)
        return Image.frombytes("L", (pixels.width, pixels.height), pixels.samples)


def scanned(page: Image.Image, skew: float, random: np.random.Generator) -> Image.Image:
    """The page as a scanner shows it: rotated by `skew` degrees, on paper that is not completely white."""
    turned = page.rotate(skew, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.7))
    grey = np.asarray(turned, dtype=np.float64)
    lit = grey * _light(grey.shape[0], grey.shape[1]) + random.normal(0, 3.5, grey.shape)
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


def _light(height: int, width: int) -> NDArray[np.float64]:
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.asarray(0.97 - 0.12 * across * down - 0.04 * (1 - down))


def make(text: str) -> bytes:
    """The PDF of a text, one image per page."""
    random = np.random.default_rng(1865)
    with pymupdf.open() as document:
        for number, part in enumerate(text.split("\f")):
            image = scanned(typeset(part), SKEWS[number % len(SKEWS)], random)
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=50)
            page = document.new_page(width=WIDTH, height=HEIGHT)
            page.insert_image(page.rect, stream=stream.getvalue())
        return bytes(document.tobytes(garbage=4, deflate=True, no_new_id=True))


def main() -> None:
    """Write the PDF into the folder of the text."""
    pdf = make((DATA / "scan.txt").read_text())
    (DATA / "scan.pdf").write_bytes(pdf)
    print(f"tests/data/scan.pdf: {len(pdf)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
