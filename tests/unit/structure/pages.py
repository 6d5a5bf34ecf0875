"""Pages drawn for the tests of structure, and how a worker reads them."""

from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.layout import arrange
from ocrqueue.limits import Limits
from ocrqueue.pages import Line, PageText
from ocrqueue.states import Origin
from ocrqueue.steps.read import facts_of
from ocrqueue.structure import find_blocks

PROSE = (
    "The harbour has been measured every month since the old quay was rebuilt, and the",
    "results of each year are compared with those of the years before. The water of the",
    "inner basin was warmer than expected in spring, and colder than usual in the autumn.",
)
ITEMS = ("the outer mole, where the tide runs freely;", "the inner basin near the crane;", "the mouth of the brook.")
ROWS = (("Month", "Depth", "Salt"), ("January", "12.5", "31"), ("March", "11.0", "30"), ("June", "9.5", "28"))


class Sketch:
    """A born-digital page of A4 that is written from top to bottom."""

    def __init__(self):
        self.pdf = pymupdf.open()
        self.page = self.pdf.new_page()
        self.y = 80.0

    def write(self, text, x=72.0, size=10.0, font="helv", gap=4.0):
        self.y += size + gap
        self.page.insert_text((x, self.y), text, fontsize=size, fontname=font)

    def heading(self, text):
        self.y += 12
        self.write(text, size=15, font="hebo")
        self.y += 8

    def paragraph(self):
        for line in PROSE:
            self.write(line)
        self.y += 8

    def bullets(self, items=ITEMS):
        for item in items:
            self.write(item, x=96)
            self.page.draw_circle((86, self.y - 3.5), 1.6, color=None, fill=(0, 0, 0))
        self.y += 8

    def table(self, rows=ROWS, width=110.0):
        top = self.y + 8
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                box = pymupdf.Rect(72 + j * width, top + i * 20, 72 + (j + 1) * width, top + (i + 1) * 20)
                self.page.draw_rect(box, width=0.6)
                font = "helv" if i else "hebo"
                self.page.insert_text((box.x0 + 5, box.y0 + 14), cell, fontsize=10, fontname=font)
        self.y = top + len(rows) * 20 + 14

    def foot(self, text):
        self.page.insert_text((290, 815), text, fontsize=8, fontname="helv")

    def save(self, path):
        self.pdf.save(path)
        return path


def read(path, number=1, **changed):
    """A page as a worker reads it from the text layer: the document (open), the text and the facts."""
    document = open_document(path, Limits())
    layer = document.text_layer(number, None, 200).upright()
    return document, arrange(layer.text), facts_of(layer)


def blocks_of(path, number=1):
    """The blocks of a page with a text layer, and its lines."""
    document, page, facts = read(path, number)
    with document:
        return find_blocks(document, number, page, facts), page.lines


def scanned(path, number=1):
    """A born-digital page as if it had been read by OCR: its image, and its lines without words."""
    document, page, facts = read(path, number)
    with document:
        image = document.render(number, 200, 200).image
    lines = [Line(line.text, line.box, 0.9, Origin.OCR) for line in page.lines]
    return image, PageText(lines), facts
