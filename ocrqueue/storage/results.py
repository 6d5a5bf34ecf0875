"""The result of a job: its pages, and the document they make, as JSON of the schema "ocr-queue/1".

`Result`, `Page` and `ResultLine` describe the fields, and result.schema.json describes them for other programs. A
result's file is one JSON object, laid out in lines so that it is written and read page by page: the fields of the
header on the first line, `"pages": [` on the second, one page on each line after it, and `]}` on the last line.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NotRequired, TextIO, TypedDict

from ocrqueue.errors import DamagedFile, PageError
from ocrqueue.pages import POORLY_READ, Line, PageText, PageWarning
from ocrqueue.states import Origin, PageState
from ocrqueue.storage.blocks import block_json, block_of
from ocrqueue.storage.values import clean_text, parsed, quad_of, rounded, rounded_corners

SCHEMA = "ocr-queue/1"
NO_MEMORY: dict[str, int | None] = {"rss": None, "active": None, "cache": None, "peak": None}


class ResultLine(TypedDict):
    """A line of a page, in reading order."""

    text: str
    box: list[list[float]]  # four corners [x, y] in pixels of the page image, clockwise from the top left of the text
    confidence: float | None  # 0 to 1; None: the engine gives none
    origin: str  # see `Origin`: "ocr" or "text_layer"
    words: NotRequired[list[list[float]] | None]  # [start, end, confidence] of each; None: not known. Older: absent


class Reading(TypedDict):
    """How an engine read a page that two engines have read."""

    engine: str | None
    model: str | None
    revision: str | None  # of the model
    quality: float | None  # see `ocrqueue.quality`
    seconds: float  # time of the engine for this page
    kept: bool  # whether the text of the page is that of this reading
    reason: str | None  # why this engine read the page, too; None for the first one
    error: dict[str, str] | None  # code and message, if the engine could not read the page


class Page(TypedDict):
    """A page. Every page has every key; a page without text has an error, and None for what is not known."""

    page: int  # number in the document, from 1
    state: str  # see `PageState`: "ok", "failed" or "cancelled"
    origin: str | None  # see `Origin`
    cached: bool  # whether the text was taken from an earlier job
    engine: str | None  # name of the engine that read it
    model: str | None  # name of the model that the engine used
    revision: str | None  # of the model
    width: int | None  # of the page image, in pixels
    height: int | None  # of the page image, in pixels
    dpi: int | None  # resolution of the page image
    rotation: float  # degrees clockwise by which the page was turned to be upright, 0 to 360
    transform: list[float] | None  # [a, b, c, d, e, f]: from pixels of the page image to the page in the file
    confidence: float | None  # mean of the lines, weighted by length, 0 to 1
    quality: NotRequired[float | None]  # see `ocrqueue.quality`, 0 to 1; None: not known. Older versions write none
    seconds: float  # time of the engine for this page; 0 for a cached page
    attempts: int  # earlier claims of the page that were lost
    memory: dict[str, int | None]  # bytes in use when the text was ready: rss, active, cache and peak
    text: str  # plain text in reading order
    markdown: str
    lines: list[ResultLine]
    blocks: NotRequired[list[dict[str, Any]] | None]  # see `Block`; None: not asked for. Older versions write none
    error: dict[str, str] | None  # code and message; None for a page that is "ok"
    warnings: NotRequired[list[dict[str, str]]]  # code and message; see `WarningCode`. Older versions write none
    readings: NotRequired[list[Reading]]  # of a page that two engines have read; else empty. Older versions write none


class PageNote(TypedDict):
    """A warning of a page."""

    page: int  # number in the document, from 1
    code: str  # see `WarningCode`
    message: str  # what is wrong and what to do, one line


class Header(TypedDict):
    """All fields of a result except its pages."""

    schema: str  # "ocr-queue/1"
    job: str  # id
    state: str  # see `JobState`: a final state
    source: dict[str, Any]  # name, sha256, bytes, and pages of the whole document
    options: dict[str, Any]  # options that differ from their defaults
    counts: dict[str, int]  # pages: ok, failed, cancelled
    quality: NotRequired[float | None]  # mean of the pages whose quality is known; None: of none
    poorly_read: NotRequired[int]  # pages whose quality is below `pages.POORLY_READ`
    seconds: float | None  # from submission to end
    structure: NotRequired[bool]  # whether the pages that were read have blocks. Older versions write none


class Result(Header):
    """A whole result."""

    pages: list[Page]


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Fields of a page besides its text; see `Page`. A page that failed early has the defaults."""

    width: int | None = None  # of the page image, in pixels
    height: int | None = None  # of the page image, in pixels
    dpi: int | None = None  # resolution of the page image
    rotation: float = 0  # degrees clockwise
    transform: tuple[float, float, float, float, float, float] | None = None  # from the page image to the file's page
    origin: str | None = None  # None: as the lines say
    engine: str | None = None
    model: str | None = None
    revision: str | None = None  # of the model
    seconds: float = 0.0  # time of the engine for this page
    attempts: int = 0  # earlier claims that were lost
    memory: Mapping[str, int | None] | None = None  # in bytes; see `memory_now`
    quality: float | None = None  # see `ocrqueue.quality`
    cached: bool = False  # taken from an earlier job


def page_result(number: int, page: PageText, facts: PageFacts) -> dict[str, Any]:
    """The result of a page that was read."""
    text = clean_text(page.plain)
    return _page(
        number,
        PageState.OK,
        facts,
        origin=facts.origin or _origin(page.lines),
        confidence=rounded(page.confidence, 4),
        text=text,
        markdown=text if page.markdown is None else clean_text(page.markdown),
        lines=[_line(line) for line in page.lines],
        blocks=None if page.blocks is None else [block_json(block) for block in page.blocks],
        warnings=_warnings(page),
    )


def text_of(page: Mapping[str, Any]) -> PageText:
    """The text of a stored page. Its lines have no words, whose boxes are not stored."""
    blocks = page.get("blocks")
    return PageText(
        [Line(line["text"], quad_of(line["box"]), line["confidence"], line["origin"]) for line in page["lines"]],
        page["text"],
        page["markdown"],
        tuple(PageWarning(warning["code"], warning["message"]) for warning in page.get("warnings", ())),
        None if blocks is None else tuple(map(block_of, blocks)),
    )


def facts_of(page: Mapping[str, Any]) -> PageFacts:
    """The fields of a stored page besides its text."""
    values = {field.name: page[field.name] for field in fields(PageFacts) if field.name in page}
    return PageFacts(**values | {"transform": page["transform"] and tuple(page["transform"])})


def with_blocks(page: Mapping[str, Any], text: PageText) -> dict[str, Any]:
    """A stored page with the blocks and the warnings of `text`."""
    assert text.blocks is not None
    return {**page, "blocks": [block_json(block) for block in text.blocks], "warnings": _warnings(text)}


def failed_page(number: int, error: PageError, facts: PageFacts | None = None) -> dict[str, Any]:
    """The result of a page that could not be read."""
    shown = {"code": error.code, "message": clean_text(error.message)}
    return _page(number, PageState.FAILED, facts or PageFacts(), error=shown)


def cancelled_page(number: int, facts: PageFacts | None = None) -> dict[str, Any]:
    """The result of a page whose job was cancelled before the page was read."""
    shown = {"code": "cancelled", "message": "the job was cancelled before this page was read"}
    return _page(number, PageState.CANCELLED, facts or PageFacts(), error=shown)


def is_read_page(value: object, number: int) -> bool:
    """Whether this is the result of page `number`, and the page was read. A newer version may have added keys."""
    return (
        isinstance(value, dict)
        and value.keys() >= Page.__required_keys__
        and (value["page"], value["state"]) == (number, PageState.OK)
    )


def result_header(
    *,
    job: str,
    state: str,
    source: Mapping[str, Any],
    options: Mapping[str, Any],
    counts: Mapping[str, int],
    seconds: float,
    qualities: Iterable[float | None] = (),
    structure: bool = False,
) -> dict[str, Any]:
    """The `Header` of a result. `qualities` are those of the pages that were read."""
    known = [quality for quality in qualities if quality is not None]
    return {
        "schema": SCHEMA,
        "job": job,
        "state": state,
        "source": {key: source.get(key) for key in ("name", "sha256", "bytes", "pages")},
        "options": dict(options),
        "counts": {key: counts[key] for key in ("ok", "failed", "cancelled")},
        "quality": rounded(sum(known) / len(known), 2) if known else None,
        "poorly_read": sum(quality < POORLY_READ for quality in known),
        "seconds": rounded(seconds, 3),
        "structure": structure,
    }


def write_result(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write a result. Holds one page in memory at a time. Raises ValueError if the header lacks a field."""
    if lacking := sorted(Header.__required_keys__ - header.keys()):
        raise ValueError(f"the result's header lacks {', '.join(lacking)}")
    given = {key: header[key] for key in Header.__annotations__ if key in header}
    stream.write(dump(given)[:-1] + ',\n"pages": [')
    separator = "\n"
    for page in pages:
        stream.write(separator + dump(page))
        separator = ",\n"
    stream.write("\n]}\n")


def read_header(stream: TextIO) -> dict[str, Any]:
    """The `Header` of a result, from its first line. Raises DamagedFile."""
    first = stream.readline()
    if not first.endswith(",\n"):
        raise _damaged()
    return _parse(first[:-2] + "}")


def read_pages(stream: TextIO, containing: str = "", in_any_case: bool = False) -> Iterator[dict[str, Any]]:
    """The pages of a result, one after another. The stream is at its beginning. Raises DamagedFile.

    Pages whose JSON does not contain the text `containing` are left out, and not parsed. With `in_any_case` the text is
    what `str.casefold` returns.
    """
    read_header(stream)
    if stream.readline() != '"pages": [\n':
        raise _damaged()
    for line in stream:
        if line == "]}\n":
            return
        if containing in (line.casefold() if in_any_case else line):
            yield _parse(line.rstrip("\n").removesuffix(","))
    raise _damaged()  # the last line is missing


def read_warnings(stream: TextIO) -> list[PageNote]:
    """The warnings of all pages of a result, in order. The stream is at its beginning. Raises DamagedFile."""
    pages = read_pages(stream, '"warnings": [{')  # quotes inside of a text have a backslash before them
    found = ((page["page"], warning) for page in pages for warning in page["warnings"])
    return [PageNote(page=page, code=warning["code"], message=warning["message"]) for page, warning in found]


def dump(value: Mapping[str, Any]) -> str:
    """An object as JSON on one line. Raises ValueError for values that JSON does not have, such as NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _page(number: int, state: str, facts: PageFacts, **fields: Any) -> dict[str, Any]:
    """A `Page` with every key, in order."""
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
        "rotation": rounded(facts.rotation, 2),
        "transform": None if facts.transform is None else [rounded(x, 6) for x in facts.transform],
        "confidence": fields.get("confidence"),
        "quality": rounded(facts.quality, 2),
        "seconds": rounded(facts.seconds, 3),
        "attempts": facts.attempts,
        "memory": NO_MEMORY | dict(facts.memory or {}),
        "text": fields.get("text", ""),
        "markdown": fields.get("markdown", ""),
        "lines": fields.get("lines", []),
        "blocks": fields.get("blocks"),
        "error": fields.get("error"),
        "warnings": fields.get("warnings", []),
        "readings": [],
    }


def _line(line: Line) -> dict[str, Any]:
    """A `ResultLine`."""
    return {
        "text": clean_text(line.text),
        "box": rounded_corners(line.box),
        "confidence": rounded(line.confidence, 4),
        "origin": line.origin,
        "words": _words(line),
    }


def _words(line: Line) -> list[list[float]] | None:
    """Start, end and confidence of each word of a line; ideographs side by side with the same confidence are one."""
    if line.origin == Origin.TEXT_LAYER or any(word.confidence is None for word in line.words):
        return None
    text = clean_text(line.text)
    words = [(start, start + len(word.text), word.confidence) for word, start in replace(line, text=text).offsets()]
    found: list[list[float]] = []
    for start, end, confidence in words:
        sure = rounded(confidence, 2)
        if sure is None:
            return None
        if found and found[-1][1:] == [start, sure]:
            found[-1][1] = end
        else:
            found.append([start, end, sure])
    return found or None


def _warnings(page: PageText) -> list[dict[str, str]]:
    return [{"code": warning.code, "message": clean_text(warning.message)} for warning in page.warnings]


def _origin(lines: list[Line]) -> str:
    found = {line.origin for line in lines}
    return Origin.MIXED if len(found) > 1 else next(iter(found), Origin.OCR)


def _parse(text: str) -> dict[str, Any]:
    try:
        value = parsed(text)
    except ValueError:
        raise _damaged() from None
    if not isinstance(value, dict):
        raise _damaged()
    return value


def _damaged() -> DamagedFile:
    return DamagedFile("the stored result is damaged: retry the job")
