"""The options of a job. They are checked before a job is submitted, and again when a plain message is accepted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ocrqueue import names
from ocrqueue.errors import InvalidOptions, shortened
from ocrqueue.languages import wrong
from ocrqueue.states import STRUCTURED_FORMATS, FormatName

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]{0,199}")
# what programs that read records of version 1 only do not know, and which formats they do
_NEW_OPTIONS = frozenset({"structure", "keep_running_heads"})
_OLD_FORMATS = frozenset("text markdown json jsonl hocr alto pdf".split())
_MOST = 20  # items of a list: there are fewer formats
_RANGE = re.compile(r"([0-9]{1,7})(?:(-)([0-9]{1,7})?)?")


def _fail(name: str, value: object, allowed: str) -> InvalidOptions:
    return InvalidOptions(f"option {name}={shortened(value)} is not allowed: {allowed}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value)) and ".." not in value


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a job. Raises InvalidOptions if a value is not allowed."""

    pages: str | None = None  # page ranges such as "1-3,8,10-"; None: all pages
    lang: str | None = None  # language hint, such as "en" or "de"
    engine: str = "auto"  # "auto" or the name of an engine
    model: str | None = None  # name of a model; None: the engine's own
    dpi: int | None = None  # resolution of page images; None: the best one for the engine
    text_layer: str = "use"  # "use" or "ignore" the text that a PDF contains
    priority: str = "normal"  # "low", "normal" or "high"
    formats: tuple[str, ...] = ()  # output formats made when the job ends; others are made on demand
    structure: bool = False  # find headings, tables and so on; some formats imply it, see `wants_structure`
    keep_running_heads: bool = False  # in Markdown and HTML, with feet and page numbers
    fresh: bool = False  # read pages again that are in the page cache
    notify: tuple[str, str] | None = None  # task and queue that are notified when the job ends

    def __post_init__(self) -> None:
        if self.lang is not None and not _is_name(self.lang):
            raise wrong(self.lang)
        if self.model is not None and not _is_name(self.model):
            raise _fail("model", self.model, "a name of letters, digits and . _ / @ + -")
        if not (isinstance(self.engine, str) and _NAME.fullmatch(self.engine)):
            raise _fail("engine", self.engine, '"auto" or the name of an engine, such as "rapidocr"')
        if self.pages is not None:
            parse_ranges(self.pages)
        if self.dpi is not None and (type(self.dpi) is not int or not 36 <= self.dpi <= 1200):
            raise _fail("dpi", self.dpi, "a whole number from 36 to 1200")
        if self.text_layer not in ("use", "ignore"):
            raise _fail("text_layer", self.text_layer, '"use" or "ignore"')
        if not (isinstance(self.priority, str) and self.priority in names.PRIORITIES):
            raise _fail("priority", self.priority, '"low", "normal" or "high"')
        for name in ("structure", "keep_running_heads", "fresh"):
            if type(getattr(self, name)) is not bool:
                raise _fail(name, getattr(self, name), "true or false")
        if unknown := [f for f in self.formats if f not in tuple(FormatName)]:
            raise _fail("formats", unknown[0], f"any of {', '.join(FormatName)}")
        if self.notify is not None and not (
            len(self.notify) == 2 and all(isinstance(n, str) and _NAME.fullmatch(n) for n in self.notify)
        ):
            raise _fail("notify", self.notify, "the name of a task and the name of its queue")

    @property
    def wants_structure(self) -> bool:
        """Whether the pages get blocks: the job asks for them, or for a format that is made from them."""
        return self.structure or not STRUCTURED_FORMATS.isdisjoint(self.formats)

    @property
    def version(self) -> int:
        """The lowest version of a record with these options."""
        is_new = self.given().keys() & _NEW_OPTIONS or set(self.formats) - _OLD_FORMATS
        return names.VERSION if is_new else names.FIRST_VERSION

    @classmethod
    def parse(cls, given: object) -> "Options":
        """Options from a JSON object. Raises InvalidOptions if one is unknown or has a value that is not allowed."""
        if not isinstance(given, Mapping):
            raise InvalidOptions(f"options must be an object, not {type(given).__name__}")
        values: dict[str, Any] = dict(given)
        if unknown := sorted(str(k) for k in values.keys() - {f.name for f in fields(cls)}):
            raise InvalidOptions(
                f"unknown option {shortened(unknown[0])}; known are {', '.join(f.name for f in fields(cls))}"
            )
        if values.get("notify") is None:
            values.pop("notify", None)
        for name in values.keys() & {"formats", "notify"}:
            if not isinstance(values[name], list | tuple) or len(values[name]) > _MOST:
                raise _fail(name, values[name], f"a list of at most {_MOST} names")
            values[name] = tuple(values[name])
        return cls(**values)

    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults, as a JSON object. `parse` reads it."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, default in _DEFAULTS.items()
            if (value := getattr(self, name)) != default
        }


_DEFAULTS = {one.name: one.default for one in fields(Options)}


def parse_ranges(text: str) -> list[tuple[int, int | None]]:
    """Page ranges "1-3,8,10-" as [(1, 3), (8, 8), (10, None)]. Raises InvalidOptions."""
    if not isinstance(text, str) or len(text) > 2000:
        raise _fail("pages", text, 'ranges such as "1-3,8" or "10-"')
    ranges: list[tuple[int, int | None]] = []
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            raise _fail("pages", text, 'ranges such as "1-3,8" or "10-"')
        first = int(match[1])
        last = None if match[2] and not match[3] else int(match[3] or match[1])
        if first < 1 or (last is not None and last < first):
            raise _fail("pages", text, "page numbers begin with 1, and the end of a range is not below its start")
        ranges.append((first, last))
    return ranges


def missing_pages(pages: str | None, total: int) -> str | None:
    """The pages asked for that a document of `total` pages does not have, as ranges such as "99,120-130"; None if none.

    An open range such as "10-" ends with the document, and is missing as a whole if the document ends before it.
    """
    missing = []
    for first, last in parse_ranges(pages) if pages is not None else ():
        start = max(first, total + 1)
        if last is None and first > total:
            missing.append(f"{first}-")
        elif last is not None and last >= start:
            missing.append(f"{start}-{last}" if start < last else str(last))
    return ",".join(missing) or None


def select_pages(pages: str | None, total: int) -> list[int]:
    """The selected page numbers of a document with `total` pages: ascending, each once.

    Raises InvalidOptions if none of them exists.
    """
    if pages is None:
        return list(range(1, total + 1))
    chosen = {n for first, last in parse_ranges(pages) for n in range(first, min(last or total, total) + 1)}
    if not chosen:
        raise _fail("pages", pages, f"the document has {total} page{'s' if total != 1 else ''}")
    return sorted(chosen)
