"""Results: the pages of a job and the document they make, as JSON of the schema "ocr-queue/1".

A result's file is one JSON object laid out by lines, so that it is written and read a page at a time: the header's
fields on the first line, `"pages": [` on the second, each page on a line of its own, `]}` on the last.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from ocrqueue.errors import PageError, StorageError
from ocrqueue.pages import Line, PageText

if TYPE_CHECKING:
    from ocrqueue.documents import PageImage
    from ocrqueue.documents.text_layer import TextLayer

SCHEMA = "ocr-queue/1"
NO_MEMORY: dict[str, int | None] = {"rss": None, "active": None, "cache": None, "peak": None}
_HEADER = ("job", "state", "source", "options", "counts", "seconds")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NO_CHARACTER = re.compile(r"[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is known of a page besides its text. A page that failed early has the defaults."""

    width: int | None = None  # of the page image, in pixels
    height: int | None = None  # of the page image, in pixels
    dpi: int | None = None  # resolution it was rendered at
    rotation: float = 0  # degrees it was turned clockwise to be upright, 0 to 360; whole numbers for quarter turns
    transform: tuple[float, float, float, float, float, float] | None = None  # page image's pixels to the file's page
    origin: str | None = None  # "ocr", "text_layer" or "mixed"; None: as its lines say
    engine: str | None = None  # that read it
    model: str | None = None  # that the engine used
    revision: str | None = None  # of the model
    seconds: float = 0.0  # to render and read it
    attempts: int = 0  # claims of it that were lost before this one
    memory: Mapping[str, int | None] | None = None  # in use at the end of reading, in bytes; see `memory_now`
    cached: bool = False  # taken from an earlier job

    @classmethod
    def of(cls, page: "PageImage | TextLayer") -> "PageFacts":
        """Those of a page that is at hand, before anything is read."""
        return cls(page.width, page.height, round(page.dpi), page.rotation, page.transform)


def page_result(number: int, page: PageText, facts: PageFacts) -> dict[str, Any]:
    """The result of a page that was read."""
    text = clean_text(page.plain)
    return _page(
        number,
        "ok",
        facts,
        origin=facts.origin or _origin(page.lines),
        confidence=_number(page.confidence, 4),
        text=text,
        markdown=text if page.markdown is None else clean_text(page.markdown),
        lines=[_line(line) for line in page.lines],
    )


def failed_page(number: int, error: PageError, facts: PageFacts | None = None) -> dict[str, Any]:
    """The result of a page that could not be read, in the same shape."""
    told = {"code": error.code, "message": clean_text(error.message)}
    return _page(number, "failed", facts or PageFacts(), error=told)


def cancelled_page(number: int, facts: PageFacts | None = None) -> dict[str, Any]:
    """The result of a page whose job was cancelled before it was read, in the same shape."""
    told = {"code": "cancelled", "message": "the job was cancelled before this page was read"}
    return _page(number, "cancelled", facts or PageFacts(), error=told)


def is_page(value: object) -> bool:
    """Whether this is a page in the shape of this schema, whatever it holds."""
    return isinstance(value, dict) and value.keys() == cancelled_page(1).keys()


def result_header(
    *,
    job: str,
    state: str,
    source: Mapping[str, Any],
    options: Mapping[str, Any],
    counts: Mapping[str, int],
    seconds: float,
) -> dict[str, Any]:
    """All of a result but its pages.

    `source` has name, sha256, bytes and pages (of the whole file); `counts` ok, failed and cancelled pages.
    """
    return {
        "schema": SCHEMA,
        "job": job,
        "state": state,
        "source": {key: source.get(key) for key in ("name", "sha256", "bytes", "pages")},
        "options": dict(options),
        "counts": {key: counts[key] for key in ("ok", "failed", "cancelled")},
        "seconds": _number(seconds, 3),
    }


def write_result(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write a result, holding one page at a time. Raises ValueError where the header lacks a field."""
    if lacking := [key for key in _HEADER if key not in header]:
        raise ValueError(f"the result's header lacks {', '.join(lacking)}")
    fields = {"schema": SCHEMA} | {key: header[key] for key in _HEADER}
    stream.write(dump(fields)[:-1] + ',\n"pages": [')
    separator = "\n"
    for page in pages:
        stream.write(separator + dump(page))
        separator = ",\n"
    stream.write("\n]}\n")


def read_header(stream: TextIO) -> dict[str, Any]:
    """A result's fields without its pages, from its first line. Raises StorageError where it is damaged."""
    first = stream.readline()
    if not first.endswith(",\n"):
        raise _damaged()
    return _parse(first[:-2] + "}")


def read_pages(stream: TextIO) -> Iterator[dict[str, Any]]:
    """The pages of a result, one after another, from its beginning. Raises StorageError where it is damaged."""
    read_header(stream)
    if stream.readline() != '"pages": [\n':
        raise _damaged()
    for line in stream:
        if line == "]}\n":
            return
        yield _parse(line.rstrip("\n").removesuffix(","))
    raise _damaged()  # no closing line: the file was cut short


def dump(value: Mapping[str, Any]) -> str:
    """An object as JSON on one line. Raises ValueError for what JSON cannot say, such as NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def clean_text(text: str) -> str:
    r"""Text that is valid in JSON, XML and HTML, and else the same.

    Line ends become \n; control characters but \n and \t go (among them \f, which parts pages in plain text); what is
    no character, such as half a surrogate pair, becomes U+FFFD.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NO_CHARACTER.sub("\ufffd", _CONTROL.sub("", text))


def _page(number: int, state: str, facts: PageFacts, **fields: Any) -> dict[str, Any]:
    """A page with every key, in the schema's order."""
    return {
        "page": number,
        "state": state,
        "origin": fields.get("origin", facts.origin),
        "cached": facts.cached,
        "engine": facts.engine,
        "model": facts.model,
        "revision": facts.revision,
        "width": facts.width,
        "height": facts.height,
        "dpi": facts.dpi,
        "rotation": _number(facts.rotation, 2),
        "transform": None if facts.transform is None else [_number(x, 6) for x in facts.transform],
        "confidence": fields.get("confidence"),
        "seconds": _number(facts.seconds, 3),
        "attempts": facts.attempts,
        "memory": NO_MEMORY | dict(facts.memory or {}),
        "text": fields.get("text", ""),
        "markdown": fields.get("markdown", ""),
        "lines": fields.get("lines", []),
        "error": fields.get("error"),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "text": clean_text(line.text),
        "box": [[_number(x, 1) or 0, _number(y, 1) or 0] for x, y in line.box],
        "confidence": _number(line.confidence, 4),
        "origin": line.origin,
    }


def _origin(lines: list[Line]) -> str:
    found = {line.origin for line in lines}
    return "mixed" if len(found) > 1 else next(iter(found), "ocr")


def _number(value: float | None, digits: int) -> float | None:
    """A rounded plain number; None for what JSON has no number for."""
    if value is None or not math.isfinite(value):
        return None
    rounded = round(float(value), digits)
    return int(rounded) if rounded.is_integer() else rounded


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise _damaged() from None
    if not isinstance(value, dict):
        raise _damaged()
    return value


def _damaged() -> StorageError:
    return StorageError("the stored result is damaged: retry the job")
