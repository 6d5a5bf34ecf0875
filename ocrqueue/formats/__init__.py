"""The formats a result can be had in. Adding one is a function and a line in `FORMATS`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ocrqueue.errors import InvalidOptions
from ocrqueue.formats import plain

Writer = Callable[[TextIO, Mapping[str, Any], Iterable[Mapping[str, Any]]], None]


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a result."""

    extension: str  # of its files, with the dot
    write: Writer  # (stream, header, pages): writes page by page


FORMATS = {
    "text": Format(".txt", plain.write_text),
    "markdown": Format(".md", plain.write_markdown),
    "json": Format(".json", plain.write_json),
    "jsonl": Format(".jsonl", plain.write_jsonl),
}


def find(name: str) -> Format:
    """The format of this name. Raises InvalidOptions."""
    try:
        return FORMATS[name]
    except KeyError:
        raise InvalidOptions(f"unknown format {name!r}: use any of {', '.join(FORMATS)}") from None


def write(name: str, pages: Iterable[Mapping[str, Any]], header: Mapping[str, Any], stream: TextIO) -> None:
    """Write a result's pages in the format of this name, holding one page at a time. Raises InvalidOptions."""
    find(name).write(stream, header, pages)
