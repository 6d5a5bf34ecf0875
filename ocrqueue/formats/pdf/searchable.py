"""Searchable PDFs: the document as it was handed over, with the text that was read lying unseen over each page."""

import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from ocrqueue.documents import open_document
from ocrqueue.documents.images import ImageDocument
from ocrqueue.documents.pdf.document import guarded, open_pdf
from ocrqueue.errors import DocumentError
from ocrqueue.formats.pdf.addition import PdfAddition
from ocrqueue.formats.pdf.image import write_image_pdf
from ocrqueue.formats.placement import lines_of
from ocrqueue.limits import Limits

_BATCH = 250  # pages between two saves: what was added stays in memory until it is saved

Pages = Iterator[Mapping[str, Any]]


def write_searchable(
    source: Path, limits: Limits, password: str | None, pages: Iterable[Mapping[str, Any]], output: BinaryIO
) -> None:
    """Write the searchable PDF of a document from the results of its pages, in their order.

    A PDF stays as it is byte for byte, and what is new comes after its end; one that is too damaged for that is
    written anew. Each frame of an image becomes a page. Raises DocumentError, PageFailure.
    """
    with open_document(source, limits, password) as document:
        if isinstance(document, ImageDocument):
            write_image_pdf(document, source, pages, output)
            return
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder, guarded(DocumentError, "the PDF"):
        made = Path(folder) / "made.pdf"
        shutil.copyfile(source, made)
        _add_text(made, limits, password, iter(pages))
        with made.open("rb") as file:
            shutil.copyfileobj(file, output, 1 << 20)


def _add_text(made: Path, limits: Limits, password: str | None, pages: Pages) -> None:
    for first in pages:
        with open_pdf(made, limits, password) as document:
            addition = PdfAddition(document.pdf, f"OcrText{uuid.uuid4().hex}")
            for page in chain([first], islice(pages, _BATCH - 1)):
                if page["transform"] and (lines := lines_of(page)):
                    addition.add(page["page"], lines, page["transform"])
            addition.save(made)
