"""The output formats of a result.

A new format is a value of `FormatName`, a function that writes it, and an entry in `FORMATS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ocrqueue.errors import InvalidOptions
from ocrqueue.formats import alto, hocr, plain
from ocrqueue.formats.structured import html
from ocrqueue.limits import Limits
from ocrqueue.states import FormatName

Header = Mapping[str, Any]  # the result without its pages (`ocrqueue.storage.results.result_header`)
Pages = Iterable[Mapping[str, Any]]  # the pages of a result, in order (`ocrqueue.storage.results.page_result`)
Writer = Callable[[TextIO, Header, Pages], None]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file that a result was read from."""

    path: Path  # in a local folder
    limits: Limits  # for opening it again
    password: str | None = None  # of an encrypted PDF


# at the top of Markdown and HTML whose pages have no blocks, because no worker could find them
BY_RULES = "<!-- structure: by rules, because no worker was there to find it -->\n\n"

Maker = Callable[[BinaryIO, SourceFile, Pages], None]


@dataclass(frozen=True, slots=True)
class Format:
    """An output format. A text format needs the result only; a binary format needs the source file, too."""

    extension: str  # of its files, with the dot
    media_type: str  # of its files, for HTTP
    write: Writer | None  # (stream, header, pages): writes a text format page by page; None: a binary format
    make: Maker | None = None  # (stream, source, pages): writes a binary format page by page; only workers call it


def _make_pdf(stream: BinaryIO, source: SourceFile, pages: Pages) -> None:
    from ocrqueue.formats.pdf.searchable import write_searchable

    write_searchable(source.path, source.limits, source.password, pages, stream)


FORMATS: Mapping[str, Format] = {
    FormatName.TEXT: Format(".txt", "text/plain; charset=utf-8", plain.write_text),
    FormatName.MARKDOWN: Format(".md", "text/markdown; charset=utf-8", plain.write_markdown),
    FormatName.HTML: Format(".html", "text/html; charset=utf-8", html.write_html),
    FormatName.JSON: Format(".json", "application/json", plain.write_json),
    FormatName.JSONL: Format(".jsonl", "application/jsonl", plain.write_jsonl),
    FormatName.HOCR: Format(".hocr", "text/vnd.hocr+html; charset=utf-8", hocr.write_hocr),
    FormatName.ALTO: Format(".alto.xml", "application/xml", alto.write_alto),
    FormatName.PDF: Format(".ocr.pdf", "application/pdf", None, _make_pdf),
}


def find(name: str) -> Format:
    """Return the format with this name. Raises InvalidOptions if there is none."""
    try:
        return FORMATS[name]
    except KeyError:
        raise InvalidOptions(f"unknown format {name!r}: use any of {', '.join(FormatName)}") from None


def write(name: str, pages: Pages, header: Header, stream: TextIO) -> None:
    """Write a result in the text format with this name, one page in memory at a time.

    Raises InvalidOptions if there is no such format, or if it is binary.
    """
    writer = find(name).write
    if writer is None:
        raise InvalidOptions(f"{name} is not a text format: a worker makes it from the document")
    writer(stream, header, pages)
