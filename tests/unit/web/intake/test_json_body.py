"""JSON bodies: a document in base64 comes out, however the body is cut; the rest stays short."""

import base64
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrqueue.web.intake.json_body import MOST, SHORT, JsonBody
from ocrqueue.web.problems import ApiError

DOCUMENT = bytes(range(256)) * 100
LINES = base64.encodebytes(DOCUMENT).decode()


def taken(body: bytes, step: int = 1 << 20) -> tuple[dict[str, object], bytes, str]:
    """The values, the document and its mark of a body that is fed in pieces of `step` bytes."""
    parser = JsonBody()
    found = b"".join([parser.feed(body[start : start + step]) for start in range(0, len(body), step)])
    return json.loads(parser.rest), found, parser.mark


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(DOCUMENT).decode(),
        base64.urlsafe_b64encode(DOCUMENT).decode(),
        LINES,
        LINES.replace("\n", "\r\n"),
    ],
    ids=["plain", "url-safe", "in lines", "in lines of Windows"],
)
def test_a_long_text_is_the_document(text: str, step: int) -> None:
    body = {"a": 'a "quoted" \\ text', "base64": text, "more": [{}, None, "ü"]}
    values, document, mark = taken(json.dumps(body).encode(), step)
    assert document == DOCUMENT
    assert values == {**body, "base64": mark}


def test_characters_may_be_escaped() -> None:
    """As .NET writes a plus sign, and PHP a slash."""
    text = base64.b64encode(DOCUMENT).decode()
    body = '{"x": "' + text.replace("+", "\\u002B").replace("/", "\\/") + '"}'
    for step in (1, 5, 1 << 20):
        assert taken(body.encode(), step)[1] == DOCUMENT


def test_the_head_of_a_data_url_stays() -> None:
    head = "data:application/pdf;base64,"
    values, document, mark = taken(json.dumps({"url": head + base64.b64encode(DOCUMENT).decode()}).encode(), 100)
    assert (values, document) == ({"url": head + mark}, DOCUMENT)


def test_a_short_text_stays() -> None:
    body = {"base64": "x" * SHORT, "other": "\\" * (SHORT // 2)}
    values, document, _ = taken(json.dumps(body).encode(), 1000)
    assert (values, document) == (body, b"")


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text() | st.integers())), st.integers(1, 20))
def test_a_body_without_a_document_is_not_changed(body: dict[str, object], step: int) -> None:
    text = json.dumps(body, ensure_ascii=False).encode()
    parser = JsonBody()
    for start in range(0, len(text), step):
        assert parser.feed(text[start : start + step]) == b""
    assert bytes(parser.rest) == text


LONG = b"A" * (SHORT + 4)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"x":[' + b"{}," * MOST, "besides its document"),
        (b'"' + b"A" * SHORT + b'",' + b'"b",' * MOST, "besides its document"),
        (b'["' + LONG + b'","' + LONG + b'"]', "more than one text"),
        (b'["' + LONG + b'A"]', "not a document in base64"),
        (b'["' + LONG + b"====" + LONG + b'"]', "not a document in base64"),
        (b'["' + LONG + b'\\u00e4"]', "not a document in base64"),
        (b'["' + LONG + b"\xc3\xa4" + b'"]', "not a document in base64"),
        (b'["' + LONG + b'\\\\"]', "not a document in base64"),
        (b'["' + b"\\\\" * SHORT + b'"]', "not a document in base64"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [5, 1000, 1 << 20])
def test_what_cannot_be_used_is_refused(body: bytes, says: str, step: int) -> None:
    with pytest.raises(ApiError, match=says):
        taken(body, step)


def test_a_large_document_is_not_held_in_memory() -> None:
    parser, piece = JsonBody(), b"AAAA" * (1 << 14)
    tracemalloc.start()
    assert parser.feed(b'{"x": "') == b""
    assert sum(len(parser.feed(piece)) for _ in range(300)) == 300 * len(piece) // 4 * 3
    assert tracemalloc.get_traced_memory()[1] < 20 * len(piece)
    tracemalloc.stop()
