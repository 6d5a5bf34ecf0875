"""The formats text, Markdown, JSON and JSON Lines."""

from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from ocrqueue.formats.structured.markdown import write_structured_markdown
from ocrqueue.storage.results import dump, write_result


def write_text(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:  # noqa: ARG001
    r"""Write each page's text, ending with a newline, and a form feed (\f) between pages, also around empty pages."""
    for index, page in enumerate(pages):
        text = page["text"]
        stream.write("\f" * bool(index) + text + "\n" * bool(text and not text.endswith("\n")))


def write_markdown(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write the Markdown of the document's blocks.

    Without blocks, each page's own Markdown is written, with a rule between pages. Errors and warnings are comments
    with their codes.
    """
    if header.get("structure"):
        write_structured_markdown(stream, header, pages)
        return
    for index, page in enumerate(pages):
        text = (page["markdown"] or page["text"]).strip("\n")
        notes = [note["code"] for note in (page["error"], *page.get("warnings", ())) if note]
        text = "\n\n".join([text] * bool(text) + [f"<!-- page {page['page']}: {code} -->" for code in notes])
        stream.write("\n---\n\n" * bool(index) + text + "\n" * bool(text))


def write_json(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write the whole result as one JSON object."""
    write_result(stream, header, pages)


def write_jsonl(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:  # noqa: ARG001
    """Write each page as a JSON object on its own line."""
    stream.writelines(dump(page) + "\n" for page in pages)
