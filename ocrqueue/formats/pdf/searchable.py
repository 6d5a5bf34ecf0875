"""Searchable PDFs: the document as it was submitted, with the recognised text invisible over each page."""

import shutil
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
from ocrqueue.process.disk import scratch

_BATCH = 250  # pages between two saves; additions stay in memory until they are saved

_CHUNK = 1 << 20  # bytes copied at a time

Pages = Iterator[Mapping[str, Any]]


def write_searchable(
    source: Path, limits: Limits, password: str | None, pages: Iterable[Mapping[str, Any]], output: BinaryIO
) -> None:
    """Write the searchable PDF of the document `source`. `pages` are results of its pages, in ascending order.

    The bytes of a PDF do not change: the text is appended to them. Only a PDF that is too damaged for this is
    rewritten. Each frame of an image becomes a page.

    Raises DocumentError if the document cannot be opened or written, and PageFailure if the only frame of an image
    cannot be decoded.
    """
    with open_document(source, limits, password) as document:
        if isinstance(document, ImageDocument):
            write_image_pdf(document, source, pages, output)
            return
    with scratch() as folder, guarded(DocumentError, "the PDF"):
        copy = folder / "copy.pdf"
        shutil.copyfile(source, copy)
        _add_text(copy, limits, password, iter(pages))
        with copy.open("rb") as file:
            shutil.copyfileobj(file, output, _CHUNK)


def _add_text(path: Path, limits: Limits, password: str | None, pages: Pages) -> None:
    """Add the text of all pages to the PDF at `path`, saving after every batch."""
    for first in pages:
        with open_pdf(path, limits, password) as document:
            addition = PdfAddition(document.pdf, f"OcrText{uuid.uuid4().hex}")
            for page in chain([first], islice(pages, _BATCH - 1)):
                if page["transform"] and (lines := lines_of(page)):
                    addition.add(page["page"], lines, page["transform"])
            addition.save(path)
