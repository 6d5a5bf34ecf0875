"""Makes searchable PDFs in tests, and reads them with MuPDF, PDFium and (to validate them) qpdf."""

import io
from pathlib import Path

import pikepdf
import pypdfium2

from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.errors import OcrError, PageError
from ocrqueue.formats.pdf.searchable import write_searchable
from ocrqueue.limits import Limits
from ocrqueue.pages import Line, PageText
from ocrqueue.steps.read import facts_of
from ocrqueue.storage.results import failed_page, page_result
from tests.support.pagemaker import box as rectangle

DATA = Path(__file__).parents[1] / "data"
LIMITS = Limits()
ODD = sorted(path for path in (DATA / "bad").iterdir() if b"%PDF" in path.read_bytes()[:1024])


def read(path, number, lines, password=None):
    """The result of page `number`, as if an engine had read these lines on it."""
    with open_document(path, LIMITS, password) as document:
        image = document.render(number, None, 150)
    text = PageText([Line(*line) if isinstance(line, tuple) else line for line in lines])
    return page_result(number, text, facts_of(image))


def made(path, pages, password=None):
    output = io.BytesIO()
    write_searchable(path, LIMITS, password, iter(pages), output)
    return output.getvalue()


def check(data, password=""):
    """The problems that qpdf finds in a PDF."""
    with pikepdf.open(io.BytesIO(data), password=password) as pdf:
        return pdf.check_pdf_syntax()


def words_of(data, number=1, password=None):
    """Pairs of word and box as MuPDF finds them, in points of the unrotated page."""
    with pymupdf.open(stream=data, filetype="pdf") as pdf:
        if password:
            assert pdf.authenticate(password)
        return [(w[4], pymupdf.Rect(w[:4])) for w in pdf[number - 1].get_text("words")]


def pdfium_text(data, number=1, password=None):
    with pypdfium2.PdfDocument(data, password=password) as pdf:
        return pdf[number - 1].get_textpage().get_text_bounded()


def empty_pdf(tmp_path, size=(300, 400), pages=1):
    pdf = pymupdf.open()
    for _ in range(pages):
        pdf.new_page(width=size[0], height=size[1]).draw_rect(pymupdf.Rect(10, 10, 20, 20), fill=(0, 0, 0))
    path = tmp_path / "file.pdf"
    pdf.save(path)
    return path


def read_all(path):
    """Results of the first three pages of a document; failed pages where they cannot be rendered."""
    with open_document(path, LIMITS) as document:
        count = min(3, document.page_count)
    pages = []
    for number in range(1, count + 1):
        try:
            pages.append(read(path, number, [("odd file", rectangle(5, 5, 105, 25))]))
        except OcrError as error:
            pages.append(failed_page(number, PageError(error.code, error.message)))
    return pages
