"""What is added to a PDF that is there already: text on its pages, and the font of that text."""

from pathlib import Path
from typing import Any

import pymupdf

from ocrqueue.documents.pdf.document import to_user_space
from ocrqueue.documents.transforms import Transform, apply, chained
from ocrqueue.formats.pdf.glyphs import Glyphs
from ocrqueue.formats.pdf.text_stream import text_stream
from ocrqueue.formats.placement import PlacedLine


class PdfAddition:
    """Text for the pages of an open PDF. Nothing is on disk before `save`."""

    def __init__(self, pdf: Any, name: str) -> None:
        """`name` is the font's among a page's resources: one that nothing else in the file goes by."""
        self._pdf = pdf
        self._name = name
        self._glyphs = Glyphs()
        self._font = 0  # object number; 0: nothing was added yet

    def add(self, number: int, lines: list[PlacedLine], transform: Transform) -> None:
        """Put lines on page `number` (from 1), before all that it draws: so no state that it leaves behind matters.

        `transform` leads from pixels of the page image to points of the unrotated page.
        """
        page = self._pdf[number - 1]
        to_space = chained(transform, to_user_space(page))
        stream = text_stream(lines, lambda point: apply(to_space, *point), self._name, self._glyphs)
        if not stream:
            return
        self._font = self._font or self.reserve()
        _add_font(page, self._name, self._font)
        text = self.reserve()
        self.put(text, "", stream)
        contents = " ".join(f"{xref} 0 R" for xref in (text, *page.get_contents()))
        self._pdf.xref_set_key(page.xref, "Contents", f"[{contents}]")

    def save(self, path: Path) -> None:
        """Write what was added after the end of the file; where it is damaged, write it anew, its streams as they are.

        Passwords and permissions stay as they are.
        """
        if not self._font:
            return
        self._glyphs.write(self, self._font)
        if self._pdf.can_save_incrementally():
            self._pdf.saveIncr()
            return
        anew = path.with_suffix(".anew")
        self._pdf.save(str(anew), encryption=pymupdf.PDF_ENCRYPT_KEEP)
        anew.replace(path)

    def reserve(self) -> int:
        """The number of a new object."""
        return int(self._pdf.get_new_xref())

    def put(self, number: int, body: str, stream: bytes | None = None) -> None:
        """Write an object: the entries of its dictionary, and the stream that goes with them."""
        self._pdf.update_object(number, f"<< {body} >>")
        if stream is not None:
            self._pdf.update_stream(number, stream, new=True)


def _add_font(page: Any, name: str, font: int) -> None:
    """Name the font in the page's resources, wherever those stand."""
    mupdf = pymupdf.mupdf
    pdf_page = mupdf.pdf_page_from_fz_page(page.this)
    resources = mupdf.pdf_dict_get_inheritable(pdf_page.obj(), pymupdf.PDF_NAME("Resources"))
    if not mupdf.pdf_is_dict(resources):
        resources = mupdf.pdf_dict_put_dict(pdf_page.obj(), pymupdf.PDF_NAME("Resources"), 1)
    fonts = mupdf.pdf_dict_get(resources, pymupdf.PDF_NAME("Font"))
    if not mupdf.pdf_is_dict(fonts):
        fonts = mupdf.pdf_dict_put_dict(resources, pymupdf.PDF_NAME("Font"), 1)
    mupdf.pdf_dict_puts(fonts, name, mupdf.pdf_new_indirect(pdf_page.doc(), font, 0))
