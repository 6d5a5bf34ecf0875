"""Requests that are wrong in every way get an answer that says so, and no error is logged. No worker runs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.harness import running
from tests.support.numbered import document
from tests.support.web import Web, start_web

JOBS, OCR, SOURCE, FILE = "/api/v1/jobs", "/v1/ocr", "/v1/convert/source/async", "/v1/convert/file/async"
ANALYZE = "/documentintelligence/documentModels/prebuilt-read:analyze"
HTTP_SOURCE = {"kind": "http", "url": "http://example.org/a"}
HALF = "\ud800"  # of a surrogate pair


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with running() as stack:
        stack.client().spool.prepare()
        web = start_web(stack)
        yield web
        assert "ERROR" not in stack.text("web")


BODIES: list[tuple[str, Any]] = [
    (JOBS, "[" * 200_000),
    (OCR, "[" * 200_000),
    *((JOBS, {"url": "http://example.org/a", name: HALF}) for name in ("name", "key", "lang", "password", HALF)),
    (JOBS, {"url": f"http://example.org/{HALF}"}),
    (JOBS, {"url": "http://["}),
    (JOBS, {"url": "http://example.org/a", "dpi": 10**400}),
    (ANALYZE, {"urlSource": "http://["}),
    (OCR, {"document": {"document_url": "http://["}}),
    (OCR, {"document": {"document_url": f"data:text/plain,{HALF}"}}),
    (OCR, {"document": {"document_url": "http://example.org/a"}, "pages": ["0-999999"] * 100}),
    (SOURCE, {"sources": [HTTP_SOURCE], "options": {"page_range": [1, float("inf")]}}),
    (SOURCE, {"sources": [HTTP_SOURCE], "options": {"to_formats": 5}}),
    (SOURCE, {"sources": [HTTP_SOURCE], "options": {"to_formats": ["json"] * 51}}),
    (SOURCE, {"sources": [HTTP_SOURCE], "options": {"ocr_lang": ["en"] * 51}}),
    (JOBS, {"url": "http://example.org/a", "formats": ["json"] * 21}),
    (JOBS, {"url": "http://example.org/a", "webhook": {"url": "https://example.org", "events": ["job.done"] * 21}}),
    (SOURCE, {"sources": [{"kind": "file", "base64_string": "aGk=", "filename": f"{HALF}.pdf"}]}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_a_wrong_body_is_refused(web: Web, path: str, body: Any) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    with web.client() as http:
        answer = http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("path", [JOBS, OCR, SOURCE, ANALYZE])
def test_json_is_not_held_unless_it_is_short(web: Web, path: str) -> None:
    """60 MB of it would be 1.7 GB of objects."""
    with web.client() as http:
        answer = http.post(path, content=b'{"x":[' + b"{}," * 100_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "besides its document" in answer.text) == (413, True), answer.text


@pytest.mark.parametrize("pages", ["[" * 60_000, "[1, 1e999]", "1e999,2"])
def test_a_wrong_page_range_in_a_form_is_refused(web: Web, pages: str) -> None:
    with web.client() as http:
        answer = http.post(FILE, files={"files": ("a.tif", document(1))}, data={"page_range": pages})
    assert answer.status_code == 422, answer.text


def test_headers_of_any_bytes_are_no_errors(web: Web) -> None:
    with web.client() as http:
        for header in ("Authorization", "X-Api-Key", "Idempotency-Key", "Cookie", "X-CSRF-Token", "Range"):
            answer = http.get("/api/v1/stats", headers={header.encode(): b"ocr_session=\xff\xfe"})
            assert answer.status_code == 200, header
