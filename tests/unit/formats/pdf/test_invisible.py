"""The text of an earlier OCR is replaced in searchable PDFs; all that is visible stays."""

import pytest

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.formats.pdf.invisible import without_invisible_text
from tests.support.searchable import check, made, pdfium_text, read, rectangle

_IMAGE = b"BI\n/W 1 /H 1 /BPC 8 /CS /G\nID\n\xff EI\n"
_BOX = b"1 0 0 RG 10 10 20 20 re S\n"


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"BT 3 Tr (x) Tj [(y) -200.50 (z)] TJ (w) ' ET", b"BT\n3 Tr\nET"),
        (b"3 Tr BT (x) Tj ET", b"3 Tr\nBT\nET"),
        (b"q BT 3 Tr (x) Tj ET Q BT (seen) Tj ET", b"q\nBT\n3 Tr\nET\nQ\nBT\n(seen) Tj\nET"),
        (b"BT 3.0 Tr (x) Tj ET 0 Tr BT (seen) Tj ET", b"BT\n3.0 Tr\nET\n0 Tr\nBT\n(seen) Tj\nET"),
        (_IMAGE + b"BT 3 Tr (x) Tj ET", _IMAGE + b"BT\n3 Tr\nET"),
    ],
    ids=["all ways to show text", "mode set before", "mode restored", "mode set again", "an image within"],
)
def test_invisible_text_is_taken_out(content, kept):
    assert without_invisible_text(content) == kept


@pytest.mark.parametrize(
    "content",
    [
        b"BT (seen) Tj ET",
        b"q 3 Tr Q BT (seen) Tj ET",
        b"BT 3 Tr (moves what follows) Tj 0 Tr (seen) Tj ET",
        b'BT 3 Tr 5 5 (spaces later text) " ET',
        b"/Drawn 1 Tf BT 3 Tr (seen) Tj ET",
        b"BT 3 Tr (x) Tj ET (unterminated",
        b"BT 3 Tr (x) Tj ET 1..5 w",
        b"BT 3 Tr (x) Tj /No Tr ET",
        b"BT 3 Tr (x) Tj ET " + bytes(1 << 22),
    ],
    ids=["visible", "restored", "mixed", "spacing", "Type 3", "no end", "no operator", "no number", "large"],
)
def test_a_stream_stays_as_it_is(content):
    assert without_invisible_text(content, {"Drawn"}) is None


@pytest.mark.parametrize("inside", ["page", "form"])
def test_a_page_that_is_read_again_has_one_text(tmp_path, inside):
    pdf = pymupdf.open()
    for _ in range(2):
        page = pdf.new_page(width=300, height=400)
        page.insert_text((50, 100), "earlier text", render_mode=3)
        page.insert_text((50, 200), "printed")
        pdf.update_stream(page.get_contents()[0], _BOX + page.read_contents())
        page.set_contents(page.get_contents()[0])
    if inside == "form":
        forms = pymupdf.open()
        for number in (0, 1):
            forms.new_page(width=300, height=400).show_pdf_page(pymupdf.Rect(0, 0, 300, 400), pdf, number)
        pdf = forms
    path = tmp_path / "file.pdf"
    pdf.save(path)
    data = made(path, [read(path, 1, [("today's text", rectangle(100, 180, 300, 220))])])
    assert data.startswith(path.read_bytes())
    assert check(data) == []
    found = pdfium_text(data)
    assert ("today's text" in found, "printed" in found, "earlier" in found) == (True, True, False)
    with pymupdf.open(path) as before, pymupdf.open(stream=data, filetype="pdf") as after:
        assert before[0].get_pixmap().samples == after[0].get_pixmap().samples
    if inside == "page":
        assert "earlier text" in pdfium_text(data, 2), "this page was not read"


def test_a_page_on_which_nothing_was_read_keeps_its_text(tmp_path):
    pdf = pymupdf.open()
    pdf.new_page(width=300, height=400).insert_text((50, 100), "earlier text", render_mode=3)
    path = tmp_path / "file.pdf"
    pdf.save(path)
    assert "earlier text" in pdfium_text(made(path, [read(path, 1, [])]))
