"""Columns that are close together: do `rapidocr` and Tesseract read one after the other?

`python -m bench.gutters GUIDES [--languages de en fr ja]`. GUIDES is that of `bench.guide_scans`, which also makes
pages look like scans. The text of a guide flows through two or three columns, justified or not, in two fonts. A gutter
of 1 em is as wide as the font size, as LaTeX sets two columns. The character error rate (CER) is that of the text in
order.
"""

import gzip
import io
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from statistics import fmean

import pymupdf
from PIL import Image

from bench.guide_scans import DPI, parts_of, scanned
from bench.speed import tesseract
from bench.support import scoring, table
from bench.support.engine import rapidocr
from ocrqueue.documents import PageImage
from ocrqueue.documents.transforms import IDENTITY
from ocrqueue.layout import arrange
from ocrqueue.options import Options
from ocrqueue.pages import PageText

GUTTERS = (0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)  # em
STYLES = (  # columns, font, alignment
    (2, "serif", "justify"), (2, "sans-serif", "left"), (3, "serif", "left"), (3, "sans-serif", "justify"),
)  # fmt: skip
LEFT, TOP, RIGHT, BOTTOM = 50.0, 60.0, 545.0, 780.0  # points: the text of a page
EM = 10.0  # points
_FOREIGN, _LENGTH = 0.0, 12_000  # see `parts_of`; a page has some 4,000 characters
_LONGEST = 1000  # characters of a paragraph: longer ones are tables of contents


def drawn(text: str, columns: int, gutter: float, font: str, align: str) -> tuple[pymupdf.Page, str]:
    """A page on which a text flows through columns, and what is on it. `gutter` is in em."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    body = "".join(f"<p>{line}</p>" for line in escaped.splitlines() if len(line) <= _LONGEST and "━" not in line)
    css = f"* {{font-family: {font}; font-size: {EM}px; text-align: {align}; margin: 0 0 4px 0}} body {{margin: 0}}"
    story, file = pymupdf.Story(body, user_css=css), io.BytesIO()
    width = (RIGHT - LEFT - (columns - 1) * gutter * EM) / columns
    boxes = [pymupdf.Rect(left, TOP, left + width, BOTTOM)
             for left in (LEFT + index * (width + gutter * EM) for index in range(columns))]  # fmt: skip
    writer = pymupdf.DocumentWriter(file)
    device = writer.begin_page(pymupdf.paper_rect("a4"))
    for box in boxes:
        story.place(box)
        story.draw(device)
    writer.end_page()
    writer.close()
    page = pymupdf.open("pdf", file)[0]
    half = gutter * EM / 2
    return page, "\n".join(page.get_text(clip=box + pymupdf.Rect(-half, -half, half, half)) for box in boxes)


def main() -> None:
    """Read the pages and print."""
    parser = ArgumentParser(prog="python -m bench.gutters", description="Columns that are close together.")
    parser.add_argument("guides", type=Path, help="the folder of the package's documentation")
    parser.add_argument("--languages", nargs="+", default=["de", "en", "fr", "ja"])
    given = parser.parse_args()
    engine, _ = rapidocr()
    peer = tesseract()
    rows: list[list[table.Cell]] = []
    for gutter in GUTTERS:
        ours: list[float] = []
        theirs: list[float] = []
        for lang in given.languages:
            text = gzip.decompress((given.guides / lang / f"install.{lang}.txt.gz").read_bytes()).decode()
            for style, part in zip(STYLES, islice(parts_of(text, _FOREIGN, _LENGTH), 1, 1 + len(STYLES)), strict=True):
                page, truth = drawn(part, style[0], gutter, *style[1:])
                image = Image.open(io.BytesIO(scanned(page, f"{lang}{gutter}{style}"))).convert("RGB")
                (found,) = engine.read([image], Options())
                assert isinstance(found, PageText), "a page was not read"
                ours.append(scoring.cer(arrange(found, image).plain, truth, lang=lang))
                theirs.append(scoring.cer(peer(PageImage(image, DPI, 0, IDENTITY), lang), truth, lang=lang))
        counts = [sum(cer > 0.1 for cer in found) for found in (ours, theirs)]
        rows.append([f"{gutter}", len(ours), fmean(ours), counts[0], fmean(theirs), counts[1]])
    table.show(("gutter", "pages", "CER `rapidocr`", "above 0.1", "CER Tesseract", "above 0.1"), rows)


if __name__ == "__main__":
    main()
