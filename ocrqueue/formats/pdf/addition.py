"""Text and its font, added to an existing PDF."""

from pathlib import Path
from typing import Any

from ocrqueue.documents.pdf.document import to_user_space
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.transforms import Transform, apply, chained
from ocrqueue.formats.pdf.glyphs import Glyphs
from ocrqueue.formats.pdf.invisible import without_invisible_text
from ocrqueue.formats.pdf.text_stream import text_stream
from ocrqueue.formats.placement import PlacedLine


class PdfAddition:
    """Text that is added to the pages of an open PDF. Nothing is written to disk before `save`."""

    def __init__(self, pdf: Any, name: str) -> None:
        """`name` is the resource name of the font; no other resource in the file may have it."""
        self._pdf = pdf
        self._name = name
        self._glyphs = Glyphs()
        self._forms: set[int] = set()  # object numbers of the forms (ISO 32000-1, 8.10) of pages so far
        self._font = 0  # object number of the font; 0: nothing was added yet

    def add(self, number: int, lines: list[PlacedLine], transform: Transform) -> None:
        """Add lines to page `number` (from 1).

        They are drawn before the page's own content, whose graphics state could otherwise move them. `transform` maps
        a pixel of the page image to a point of the unrotated page. Invisible text of an earlier OCR is left out of the
        page, since readers would mix both.
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
        contents = " ".join(f"{xref} 0 R" for xref in (text, *self._own_contents(page)))
        self._pdf.xref_set_key(page.xref, "Contents", f"[{contents}]")

    def _own_contents(self, page: Any) -> list[int]:
        """The object numbers of a page's content without invisible text, which is taken out of its forms, too."""
        number = page.number
        type3 = {name for _, _, kind, _, name, *_ in self._pdf.get_page_fonts(number, full=True) if kind == "Type3"}
        for form, *_ in self._pdf.get_page_xobjects(number):
            if form not in self._forms:
                self._forms.add(form)
                own = without_invisible_text(self._pdf.xref_stream(form) or b"", type3)
                if own is not None:
                    self._pdf.update_stream(form, own)
        own = without_invisible_text(page.read_contents(), type3)
        if own is None:
            return list(page.get_contents())
        content = self.reserve()
        self.put(content, "", own)
        return [content]

    def save(self, path: Path) -> None:
        """Append the additions to the file at `path`, whose bytes do not change (ISO 32000-1, 7.5.6).

        A damaged file, to which MuPDF cannot append, is rewritten with its streams unchanged. Passwords and
        permissions stay in both cases.
        """
        if not self._font:
            return
        self._glyphs.write(self, self._font)
        if self._pdf.can_save_incrementally():
            self._pdf.saveIncr()
            return
        rewritten = path.with_suffix(".rewritten")
        self._pdf.save(str(rewritten), encryption=pymupdf.PDF_ENCRYPT_KEEP)
        rewritten.replace(path)

    def reserve(self) -> int:
        """Return the number of a new object, which `put` writes later."""
        return int(self._pdf.get_new_xref())

    def put(self, number: int, body: str, stream: bytes | None = None) -> None:
        """Write an object: the entries of its dictionary, and its stream, if it is one."""
        self._pdf.update_object(number, f"<< {body} >>")
        if stream is not None:
            self._pdf.update_stream(number, stream, new=True)


def _add_font(page: Any, name: str, font: int) -> None:
    """Add the font to the page's resources, which may be the page's own, inherited, or missing."""
    mupdf = pymupdf.mupdf
    pdf_page = mupdf.pdf_page_from_fz_page(page.this)
    resources = mupdf.pdf_dict_get_inheritable(pdf_page.obj(), pymupdf.PDF_NAME("Resources"))
    if not mupdf.pdf_is_dict(resources):
        resources = mupdf.pdf_dict_put_dict(pdf_page.obj(), pymupdf.PDF_NAME("Resources"), 1)
    fonts = mupdf.pdf_dict_get(resources, pymupdf.PDF_NAME("Font"))
    if not mupdf.pdf_is_dict(fonts):
        fonts = mupdf.pdf_dict_put_dict(resources, pymupdf.PDF_NAME("Font"), 1)
    mupdf.pdf_dict_puts(fonts, name, mupdf.pdf_new_indirect(pdf_page.doc(), font, 0))
