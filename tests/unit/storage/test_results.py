"""Results: the fields of pages, clean text, and result files that are written and read page by page."""

import io
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrqueue.errors import PageError, StorageError
from ocrqueue.pages import Line, PageText, PageWarning, Word
from ocrqueue.storage import values
from ocrqueue.storage.results import (
    Page,
    PageFacts,
    Result,
    ResultLine,
    cancelled_page,
    clean_text,
    failed_page,
    is_read_page,
    page_result,
    read_header,
    read_pages,
    read_warnings,
    result_header,
    write_result,
)

KEYS = list(Page.__annotations__)
BOX = ((0.04, 0.0), (10.06, 0.0), (10.0, 5.0), (0.0, 5.0))
FACTS = PageFacts(
    width=1654,
    height=2339,
    dpi=200,
    transform=(0.36, 0, 0, 0, 0.36, 0),
    engine="rapidocr",
    model="pp-ocrv6-small",
    revision="3.10.0",
    seconds=1.23456,
    memory={"rss": 1},
)


def header(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "job": "j",
        "state": "done",
        "source": {"name": "scan.pdf", "sha256": "0", "bytes": 1, "pages": 2},
        "options": {},
        "counts": {"ok": 2, "failed": 0, "cancelled": 0},
        "seconds": 1.0,
    }
    return result_header(**given | changes)


def written(pages: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    write_result(stream, header(), pages)
    return stream.getvalue()


def test_a_page_has_every_key_in_order() -> None:
    page = page_result(3, PageText([Line("Hello", BOX, 0.98765), Line("x", BOX)]), FACTS)
    assert list(page) == KEYS
    assert list(page["lines"][0]) == list(ResultLine.__annotations__)
    assert page == {
        "page": 3,
        "state": "ok",
        "origin": "ocr",
        "cached": False,
        "engine": "rapidocr",
        "model": "pp-ocrv6-small",
        "revision": "3.10.0",
        "width": 1654,
        "height": 2339,
        "dpi": 200,
        "rotation": 0,
        "transform": [0.36, 0, 0, 0, 0.36, 0],
        "confidence": 0.9877,
        "quality": None,
        "seconds": 1.235,
        "attempts": 0,
        "memory": {"rss": 1, "active": None, "cache": None, "peak": None},
        "text": "Hello\nx",
        "markdown": "Hello\nx",
        "lines": [
            {
                "text": "Hello",
                "box": [[0, 0], [10.1, 0], [10, 5], [0, 5]],
                "confidence": 0.9877,
                "origin": "ocr",
                "words": None,
            },
            {
                "text": "x",
                "box": [[0, 0], [10.1, 0], [10, 5], [0, 5]],
                "confidence": None,
                "origin": "ocr",
                "words": None,
            },
        ],
        "blocks": None,
        "error": None,
        "warnings": [],
        "readings": [],
    }


def words_of(text: str, *words: tuple[str, float | None]) -> object:
    """The words of a line in a result."""
    line = Line(text, BOX, 0.9, words=tuple(Word(word, BOX, confidence) for word, confidence in words))
    return page_result(1, PageText([line]), FACTS)["lines"][0]["words"]


def test_each_word_has_its_place_in_the_text_and_its_confidence() -> None:
    assert words_of("to be or", ("to", 0.987), ("be", 0.5), ("or", 1.0)) == [[0, 2, 0.99], [3, 5, 0.5], [6, 8, 1]]


def test_ideographs_with_the_same_confidence_are_one_entry() -> None:
    assert words_of("日本語", ("日", 0.99), ("本", 0.991), ("語", 0.4)) == [[0, 2, 0.99], [2, 3, 0.4]]


def test_words_that_are_not_known_or_do_not_make_up_the_text_are_left_out() -> None:
    assert words_of("two words") is None
    assert words_of("two words", ("two", 0.9), ("words", None)) is None
    assert words_of("two words", ("words", 0.9)) is None


def test_failed_and_cancelled_pages_have_the_same_keys() -> None:
    failed = failed_page(1, PageError("timeout", "over 300 s"), FACTS)
    assert list(failed) == KEYS
    assert (failed["state"], failed["text"], failed["lines"], failed["width"]) == ("failed", "", [], 1654)
    assert failed["error"] == {"code": "timeout", "message": "over 300 s"}
    cancelled = cancelled_page(2)
    assert list(cancelled) == KEYS
    assert (cancelled["state"], cancelled["error"]["code"]) == ("cancelled", "cancelled")
    json.dumps([failed, cancelled], allow_nan=False)


@pytest.mark.parametrize(
    ("origins", "origin"),
    [([], "ocr"), (["ocr"], "ocr"), (["text_layer"], "text_layer"), (["ocr", "text_layer"], "mixed")],
)
def test_the_origin_of_a_page_is_that_of_its_lines(origins: list[str], origin: str) -> None:
    page = PageText([Line("x", BOX, origin=o) for o in origins])
    assert page_result(1, page, PageFacts())["origin"] == origin


def test_numbers_that_json_cannot_express_become_null_or_0() -> None:
    box = ((float("nan"), 0.0), (1.0, 0.0), (1.0, float("inf")), (0.0, 1.0))
    page = page_result(1, PageText([Line("x", box, float("nan"))]), PageFacts())
    assert page["confidence"] is None
    assert page["lines"][0]["box"] == [[0, 0], [1, 0], [1, 0], [0, 1]]
    json.dumps(page, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00\x1b[31mb\x7f\x9b\x0c\x0b", "a[31mb"),
        ("a\ud800b\udcff", "a\ufffdb\ufffd"),
        ("a\uffff", "a\ufffd"),
        ("\U0001f600 \u05d0\u202e \u00ad\u200b", "\U0001f600 \u05d0\u202e \u00ad\u200b"),
    ],
)
def test_characters_that_are_not_text_are_removed(text: str, clean: str) -> None:
    assert clean_text(text) == clean
    page = page_result(1, PageText([Line(text, BOX)], text=text, markdown=text), PageFacts())
    assert page["text"] == page["markdown"] == page["lines"][0]["text"] == clean


def test_cleaned_text_is_valid_xml_and_utf8() -> None:
    text = clean_text("".join(map(chr, range(0x20000))))
    text.encode()
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    assert ET.fromstring(f"<t>{escaped}</t>").text == text


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_result_is_json_and_can_be_read_page_by_page(count: int) -> None:
    pages = [page_result(n, PageText([Line('a "quoted"]}\n,\u2028', BOX)]), FACTS) for n in range(1, count + 1)]
    text = written(pages)
    whole = json.loads(text)
    assert list(whole) == [
        "schema",
        "job",
        "state",
        "source",
        "options",
        "counts",
        "quality",
        "poorly_read",
        "seconds",
        "structure",
        "pages",
    ]
    assert list(whole) == list(Result.__annotations__)
    assert whole["schema"] == "ocr-queue/1"
    assert whole["pages"] == pages
    assert read_header(io.StringIO(text, newline="\n")) == header()
    assert list(read_pages(io.StringIO(text, newline="\n"))) == pages


def test_pages_are_written_one_at_a_time() -> None:
    stream, sizes = io.StringIO(), []

    def pages() -> Iterator[dict[str, Any]]:
        for number in range(1, 4):
            sizes.append(stream.tell())
            yield failed_page(number, PageError("timeout", "x"))

    write_result(stream, header(), pages())
    assert sizes == sorted(set(sizes))


def test_a_header_that_lacks_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks seconds"):
        write_result(io.StringIO(), {k: v for k, v in header().items() if k != "seconds"}, [])


def test_a_result_that_was_cut_short_is_damaged() -> None:
    text = written([page_result(1, PageText(), FACTS), page_result(2, PageText(), FACTS)])
    for end in range(0, len(text) - 1, 7):
        with pytest.raises(StorageError, match="damaged"):
            list(read_pages(io.StringIO(text[:end])))


def test_warnings_are_found_in_a_result() -> None:
    tricky = page_result(1, PageText(text='"warnings": [{"code": 1}]'), FACTS)
    cut = page_result(2, PageText(text="two", warnings=(PageWarning("cut_off", "too\x00long"),)), FACTS)
    old = {key: value for key, value in page_result(3, PageText(text="three"), FACTS).items() if key != "warnings"}
    result = written([tricky, cut, old])
    assert read_warnings(io.StringIO(result)) == [{"page": 2, "code": "cut_off", "message": "toolong"}]
    assert is_read_page(old, 3), "a page that a worker of an older version has stored"


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.floats(allow_nan=False) | st.text(), st.lists)))
def test_the_json_of_a_long_page_is_parsed_in_steps_to_the_same(value: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "_LONG", 0)
        for indent in (None, 1):
            assert values.parsed(json.dumps(value, indent=indent) + "\n") == value
        for wrong in ("{", '{"a": [', '{"a": }', "{} {}", '{"a": [1, ]}', '{"a": 1 "b"}'):
            with pytest.raises(ValueError, match=r"char|more after"):
                values.parsed(wrong)
