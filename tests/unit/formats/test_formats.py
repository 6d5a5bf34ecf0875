"""The output formats text, Markdown, JSON and JSON Lines."""

import io
import json
from typing import Any

import pytest

from ocrqueue.errors import InvalidOptions, PageError
from ocrqueue.formats import FORMATS, find, write
from ocrqueue.pages import PageText
from ocrqueue.states import FormatName
from ocrqueue.storage.results import PageFacts, failed_page, page_result, result_header

HEADER = result_header(
    job="j",
    state="partial",
    source={"name": "a.pdf"},
    options={},
    counts={"ok": 3, "failed": 1, "cancelled": 0},
    seconds=1,
)
PAGES = [
    page_result(1, PageText(text="one\ntwo", markdown="# one\n\ntwo"), PageFacts()),
    failed_page(2, PageError("timeout", "--> over 300 s")),
    page_result(3, PageText(), PageFacts()),
    page_result(4, PageText(text="four"), PageFacts()),
]


def made(name: str, pages: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    write(name, iter(pages), HEADER, stream)
    return stream.getvalue()


def test_every_format_has_an_entry_and_an_extension_of_its_own():
    assert list(FORMATS) == list(FormatName)
    assert [entry.extension for entry in FORMATS.values()] == [
        ".txt",
        ".md",
        ".html",
        ".json",
        ".jsonl",
        ".hocr",
        ".alto.xml",
        ".ocr.pdf",
    ]


def test_text_separates_pages_by_form_feeds() -> None:
    assert made("text", PAGES) == "one\ntwo\n\f\f\ffour\n"
    assert made("text", PAGES[:1]) == "one\ntwo\n"


def test_form_feeds_inside_a_page_are_removed() -> None:
    pages = [page_result(n, PageText(text="a\fb"), PageFacts()) for n in (1, 2)]
    assert made("text", pages).split("\f") == ["ab\n", "ab\n"]


def test_markdown_separates_pages_by_rules_and_names_the_error_of_a_failed_page() -> None:
    assert made("markdown", PAGES) == ("# one\n\ntwo\n\n---\n\n<!-- page 2: timeout -->\n\n---\n\n\n---\n\nfour\n")


def test_json_is_the_whole_result() -> None:
    whole = json.loads(made("json", PAGES))
    assert whole["state"] == "partial"
    assert whole["pages"] == PAGES


def test_jsonl_has_one_page_per_line() -> None:
    assert [json.loads(line) for line in made("jsonl", PAGES).splitlines()] == PAGES


@pytest.mark.parametrize("name", ["text", "markdown", "json", "jsonl"])
def test_a_result_without_pages_is_an_empty_document(name: str) -> None:
    text = made(name, [])
    assert text == "" if name != "json" else json.loads(text)["pages"] == []


def test_the_error_for_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(InvalidOptions, match="unknown format 'docx': use any of text, markdown, html, json, jsonl"):
        find("docx")
