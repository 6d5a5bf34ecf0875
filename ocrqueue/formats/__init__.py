"""The formats a result can be had in. Adding one is a function and a line in `FORMATS`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ocrqueue.errors import InvalidOptions
from ocrqueue.formats import alto, hocr, plain
from ocrqueue.limits import Limits

Header = Mapping[str, Any]
Pages = Iterable[Mapping[str, Any]]
Writer = Callable[[TextIO, Header, Pages], None]


@dataclass(frozen=True, slots=True)
class Document:
    """The document that a result was read from."""

    path: Path  # its bytes
    limits: Limits
    password: str | None = None


Maker = Callable[[BinaryIO, Document, Pages], None]


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a result: either as text, which needs the result alone, or made from the document, in bytes."""

    extension: str  # of its files, with the dot
    write: Writer | None  # (stream, header, pages): writes text page by page
    make: Maker | None = None  # (stream, document, pages): writes bytes page by page; for workers alone


def _make_pdf(stream: BinaryIO, document: Document, pages: Pages) -> None:
    from ocrqueue.formats.pdf.searchable import write_searchable

    write_searchable(document.path, document.limits, document.password, pages, stream)


FORMATS = {
    "text": Format(".txt", plain.write_text),
    "markdown": Format(".md", plain.write_markdown),
    "json": Format(".json", plain.write_json),
    "jsonl": Format(".jsonl", plain.write_jsonl),
    "hocr": Format(".hocr", hocr.write_hocr),
    "alto": Format(".alto.xml", alto.write_alto),
    "pdf": Format(".ocr.pdf", None, _make_pdf),
}


def find(name: str) -> Format:
    """The format of this name. Raises InvalidOptions."""
    try:
        return FORMATS[name]
    except KeyError:
        raise InvalidOptions(f"unknown format {name!r}: use any of {', '.join(FORMATS)}") from None


def write(name: str, pages: Pages, header: Header, stream: TextIO) -> None:
    """Write a result's pages in the format of text of this name, holding one page at a time. Raises InvalidOptions."""
    writer = find(name).write
    if writer is None:
        raise InvalidOptions(f"{name} is no text: a worker makes it from the document")
    writer(stream, header, pages)
