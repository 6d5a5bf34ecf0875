"""Searchable PDFs, read by MuPDF and PDFium, and checked for validity by qpdf."""

import io

import pikepdf
import pypdfium2
import pytest

from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.errors import CODES, OcrError, PageError
from ocrqueue.pages import Line, PageText
from ocrqueue.storage.results import PageFacts, failed_page, page_result
from tests.support.searchable import (
    DATA,
    LIMITS,
    ODD,
    check,
    empty_pdf,
    made,
    pdfium_text,
    read,
    read_all,
    rectangle,
    words_of,
)


@pytest.mark.parametrize("cropped", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("unit", [1, 2])
def test_text_is_placed_where_it_was_read(tmp_path, rotation, cropped, unit):
    pdf = pymupdf.open()
    page = pdf.new_page(width=300, height=400)
    page.draw_rect(pymupdf.Rect(80, 90, 200, 110), fill=(1, 0, 0))
    if cropped:
        page.set_cropbox(pymupdf.Rect(50, 30, 280, 390))
    page.set_rotation(rotation)
    pdf.xref_set_key(page.xref, "UserUnit", str(unit))
    path = tmp_path / "file.pdf"
    pdf.save(path)
    bar = pymupdf.Rect(30, 60, 150, 80) if cropped else pymupdf.Rect(80, 90, 200, 110)
    bar *= pymupdf.Matrix(unit, unit)
    with open_document(path, LIMITS) as document:
        image = document.render(1, None, 150)
    box = image.image.getchannel("G").point(lambda v: 255 if v < 128 else 0).getbbox()
    data = made(path, [read(path, 1, [("found here", rectangle(*box), 0.9)])])
    assert check(data) == []
    (first, one), (second, other) = words_of(data)
    assert (first, second) == ("found", "here")
    assert not one.intersects(other)
    assert tuple(one | other) == pytest.approx(tuple(bar), abs=1.5 * unit)
    assert pdfium_text(data) == "found here"


def test_a_turned_line_is_written_along_its_box(tmp_path):
    path = empty_pdf(tmp_path)
    upwards = (100, 500), (100, 200), (140, 200), (140, 500)
    data = made(path, [read(path, 1, [("upwards we go", upwards)])])
    with pymupdf.open(stream=data, filetype="pdf") as pdf:
        (line,) = pdf[0].get_text("dict")["blocks"][0]["lines"]
    assert line["dir"] == pytest.approx((0, -1), abs=0.01)
    assert line["bbox"] == pytest.approx([v * 72 / 150 for v in (100, 200, 140, 500)], abs=1)


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, naïve façade – “quotes” 100 €",
        "Ελληνικά και Ἀρχαῖα",
        "Съешь же ещё этих мягких булок",
        "Tiếng Việt có nhiều dấu",
        "日本語の縦書きと横書き",
        "简体中文 繁體中文",
        "한국어 문장",
        "𠮷野家 🙂 fin",
        r"(brackets) \ <and> backslashes",
    ],
)
def test_text_of_every_script_is_extracted_unchanged(tmp_path, text):
    path = empty_pdf(tmp_path)
    data = made(path, [read(path, 1, [(text, rectangle(50, 50, 550, 90))])])
    assert check(data) == []
    with pymupdf.open(stream=data, filetype="pdf") as pdf:
        flags = pymupdf.TEXTFLAGS_TEXT & ~pymupdf.TEXT_PRESERVE_LIGATURES | pymupdf.TEXT_PRESERVE_LIGATURES
        assert pdf[0].get_text(flags=flags).strip() == text
    assert pdfium_text(data) == text


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "שלום עולם", "عدد 123 هنا", "English שלום here"])
def test_right_to_left_text_is_extracted_in_its_order(tmp_path, text):
    path = empty_pdf(tmp_path)
    data = made(path, [read(path, 1, [(text, rectangle(50, 50, 550, 90))])])
    assert pdfium_text(data) == text


def test_the_bytes_of_the_document_do_not_change_and_few_are_added():
    """Four scanned pages with 40 lines of 60 characters each, more than most pages have."""
    path = DATA / "scan.pdf"
    text = "the quick brown fox jumps over the lazy dog by moonlight and"
    lines = [(f"{text} {n}", rectangle(100, 30 * n, 1500, 30 * n + 25)) for n in range(1, 41)]
    pages = [read(path, number, lines) for number in range(1, 5)]
    data = made(path, pages)
    assert check(data) == []
    assert data.startswith(path.read_bytes())
    assert len(data) - path.stat().st_size < min(0.1 * path.stat().st_size, 4 * 4000)
    for number in range(1, 5):
        assert pdfium_text(data, number).splitlines() == [line for line, _ in lines]


def test_pages_without_a_result_do_not_change(tmp_path):
    path = empty_pdf(tmp_path, pages=4)
    pages = [
        failed_page(1, PageError("timeout", "too long")),
        read(path, 2, [("second", rectangle(50, 50, 300, 90))]),
        read(path, 4, []),
    ]
    data = made(path, pages)
    assert [pdfium_text(data, number) for number in (1, 2, 3, 4)] == ["", "second", "", ""]
    assert made(path, pages[:1]) == path.read_bytes()


def test_lines_of_the_text_layer_are_not_written_again(tmp_path):
    pdf = pymupdf.open()
    pdf.new_page(width=300, height=400).insert_text((50, 100), "printed")
    pdf.save(tmp_path / "file.pdf")
    box = rectangle(100, 180, 200, 210)
    lines = [Line("printed", box, None, "text_layer"), Line("scanned", rectangle(100, 400, 300, 440), 0.9)]
    data = made(tmp_path / "file.pdf", [read(tmp_path / "file.pdf", 1, lines)])
    assert [word for word, _ in words_of(data)] == ["scanned", "printed"]


def test_the_text_is_invisible(tmp_path):
    path = empty_pdf(tmp_path)
    data = made(path, [read(path, 1, [("unseen", rectangle(50, 50, 550, 290))])])
    with pymupdf.open(path) as before, pymupdf.open(stream=data, filetype="pdf") as after:
        assert before[0].get_pixmap().samples == after[0].get_pixmap().samples
    with pypdfium2.PdfDocument(path) as before, pypdfium2.PdfDocument(data) as after:
        assert before[0].render().to_numpy().tobytes() == after[0].render().to_numpy().tobytes()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("enc_aes256_user.pdf", "secret"),
        ("enc_aes256_unicode.pdf", "pässwörd-秘密"),
        ("enc_aes256_owner_only.pdf", None),
    ],
)
def test_an_encrypted_document_stays_encrypted(name, password):
    path = DATA / "bad" / name
    data = made(path, [read(path, 1, [("hidden words", rectangle(50, 50, 550, 90))], password)], password)
    assert check(data, password or "") == []
    assert "hidden words" in pdfium_text(data, 1, password)
    with pymupdf.open(stream=data, filetype="pdf") as pdf:
        assert bool(pdf.needs_pass) == (password is not None)
    with pikepdf.open(io.BytesIO(data), password=password or "") as pdf:
        assert pdf.is_encrypted


def test_an_encrypted_document_without_its_password():
    with pytest.raises(OcrError, match="password") as error:
        made(DATA / "bad" / "enc_aes256_user.pdf", [])
    assert error.value.code == "password_required"


@pytest.mark.parametrize("path", ODD, ids=lambda p: p.name)
def test_odd_files_are_written_or_refused_with_a_code(path):
    try:
        pages = read_all(path)
        data = made(path, pages)
    except OcrError as error:
        refused = error.code
    else:
        refused = None
    if refused:
        assert refused in CODES
        return
    with pymupdf.open(stream=data, filetype="pdf") as pdf, open_document(path, LIMITS) as document:
        assert pdf.page_count == document.page_count
    for page in pages:
        if page["state"] == "ok" and path.name != "odd_cropbox_outside.pdf":  # in which no reader finds text
            found = " ".join(word for word, _ in words_of(data, page["page"]))
            # Each reader fails on some files.
            assert "odd file" in found or "odd file" in pdfium_text(data, page["page"])


def test_resources_and_contents_of_every_form_are_handled(tmp_path):
    """Inherited and missing resources; contents that are one stream, missing, or leave the graphics state changed."""
    pdf = pymupdf.open()
    for _ in range(4):
        pdf.new_page(width=300, height=400).insert_text((50, 100), "printed", fontname="helv")
    tree = int(pdf.xref_get_key(pdf.pdf_catalog(), "Pages")[1].split()[0])
    pdf.xref_set_key(tree, "Resources", pdf.xref_get_key(pdf[0].xref, "Resources")[1])
    pdf.xref_set_key(pdf[0].xref, "Resources", "null")
    pdf.xref_set_key(pdf[1].xref, "Contents", "null")
    pdf.xref_set_key(pdf[2].xref, "Resources", "<< >>")
    (content,) = pdf[3].get_contents()
    pdf.update_stream(content, b"0.5 0 0 0.5 7 7 cm q q\n" + pdf.xref_stream(content))
    path = tmp_path / "file.pdf"
    pdf.save(path)
    data = made(path, [read(path, n, [("new text", rectangle(100, 300, 300, 340))]) for n in (1, 2, 3, 4)])
    assert check(data) == []
    for number in (1, 2, 3, 4):
        words = dict(words_of(data, number))
        assert tuple(words["new"])[:2] == pytest.approx((48, 144), abs=1)
        assert ("printed" in words) == (number != 2)


def test_bookmarks_forms_and_signatures_are_kept(tmp_path):
    pdf = pymupdf.open()
    page = pdf.new_page(width=300, height=400)
    pdf.set_toc([[1, "Chapter", 1]])
    field = pymupdf.Widget()
    field.field_name, field.field_type, field.field_value = "name", pymupdf.PDF_WIDGET_TYPE_TEXT, "filled in"
    field.rect = pymupdf.Rect(50, 300, 200, 330)
    page.add_widget(field)
    path = tmp_path / "file.pdf"
    pdf.save(path)
    data = made(path, [read(path, 1, [("text", rectangle(50, 50, 300, 90))])])
    assert data.startswith(path.read_bytes())  # a signature covers these bytes
    with pymupdf.open(stream=data, filetype="pdf") as again:
        assert again.get_toc() == [[1, "Chapter", 1]]
        assert [widget.field_value for widget in again[0].widgets()] == ["filled in"]


def test_text_without_places_is_found_on_its_page(tmp_path):
    path = empty_pdf(tmp_path)
    with open_document(path, LIMITS) as document:
        image = document.render(1, None, 150)
    facts = PageFacts(width=625, height=833, dpi=150, transform=image.transform)
    data = made(path, [page_result(1, PageText(text="first line\n\nsecond line"), facts)])
    assert pdfium_text(data).splitlines() == ["first line", "second line"]
