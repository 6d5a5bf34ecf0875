"""Formats of plain text: text, Markdown, JSON and JSON lines."""

from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from ocrqueue.storage.results import dump, write_result


def write_text(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:  # noqa: ARG001
    r"""Each page's text, ending with a newline; a form feed (\f) between pages, also round those without text."""
    for index, page in enumerate(pages):
        text = page["text"]
        stream.write("\f" * bool(index) + text + "\n" * bool(text and not text.endswith("\n")))


def write_markdown(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:  # noqa: ARG001
    """Each page's Markdown; a rule between pages; a page that was not read is a comment with the reason's code."""
    for index, page in enumerate(pages):
        text = (page["markdown"] or page["text"]).strip("\n")
        if page["error"]:
            text = f"<!-- page {page['page']}: {page['error']['code']} -->"
        stream.write("\n---\n\n" * bool(index) + text + "\n" * bool(text))


def write_json(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """The whole result as one JSON object."""
    write_result(stream, header, pages)


def write_jsonl(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:  # noqa: ARG001
    """Each page as a JSON object on a line of its own."""
    stream.writelines(dump(page) + "\n" for page in pages)
