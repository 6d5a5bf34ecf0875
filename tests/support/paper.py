"""A PDF of one page on which tests draw; and images with and without text."""

import io

from PIL import Image, ImageDraw

from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.limits import Limits

DPI = 144
ZOOM = DPI / 72
PROSE = [
    "The harbour master counted the boats every evening,",
    "wrote their names into a long grey book, and went",
    "home along the wall when the lamp had been lit.",
    "Nobody ever asked him what the list was good for.",
]


class Paper:
    """A PDF of one page on which tests draw before they open it. Units are points."""

    def __init__(self, folder, width=400, height=300):
        self.path = folder / "file.pdf"
        self.pdf = pymupdf.open()
        self.page = self.pdf.new_page(width=width, height=height)

    def write(self, *lines, x=40, y=60, size=11, **options):
        for number, line in enumerate(lines):
            self.page.insert_text((x, y + 1.5 * size * number), line, fontsize=size, **options)

    def picture(self, box, image, **options):
        file = io.BytesIO()
        image.save(file, "PNG")
        self.page.insert_image(pymupdf.Rect(box), stream=file.getvalue(), keep_proportion=False, **options)

    def name(self, codes, font, as_font=None):
        """Let the file say which characters the codes of a font are, in hexadecimal; and give the font another name."""
        (xref,) = (xref for xref, _, _, name, *_ in self.page.get_fonts() if name == font)
        entries = "".join(f"<{ord(char):02x}> <{target}> " for char, target in codes.items())
        entry = f"1 begincodespacerange <00> <ff> endcodespacerange {len(codes)} beginbfchar {entries}endbfchar"
        cmap = self.pdf.get_new_xref()
        self.pdf.update_object(cmap, "<<>>")
        self.pdf.update_stream(cmap, f"/CIDInit /ProcSet findresource begin begincmap {entry} endcmap end".encode())
        if codes:
            self.pdf.xref_set_key(xref, "ToUnicode", f"{cmap} 0 R")
        if as_font:
            self.pdf.xref_set_key(xref, "BaseFont", f"/{as_font}")

    def layer(self):
        with self.opened() as document:
            return document.text_layer(1, None, DPI)

    def opened(self):
        self.pdf.save(self.path)
        return open_document(self.path, Limits())

    def texts(self):
        layer = self.layer()
        return None if layer is None else [line.text for line in layer.lines]


def scanned(width=800, height=600, text=PROSE):
    """An image of a printed page."""
    image = Image.new("RGB", (width, height), (250, 248, 244))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(text):
        draw.text((60, 60 + 60 * number), line, fill=(20, 20, 20), font_size=26)
    return image


def photograph(width=400, height=300):
    """An image of soft shapes without text."""
    return Image.merge("RGB", [Image.radial_gradient("L").resize((width, height)).rotate(90 * n) for n in range(3)])


def mark_of(image):
    """The middle of the red mark on a white image, in pixels."""
    left, top, right, bottom = image.getchannel("G").point(lambda v: 255 if v < 128 else 0).getbbox()
    return (left + right) / 2, (top + bottom) / 2
