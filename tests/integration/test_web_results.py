"""Results over HTTP, from a real stack: every format, conditional and partial requests, and what goes wrong."""

import io
import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.formats import FORMATS
from tests.support.harness import Stack, eventually, running
from tests.support.numbered import KILL_CHILD, RAISE, document
from tests.support.web import Web, start_web

NAME = 'Grüße/"2026".v1.tif'


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents(children=1)
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def job(stack: Stack) -> Job:
    """A job of three pages of which the second failed."""
    job = stack.client().submit(document(3, {2: RAISE}), name=NAME)
    assert job.wait(60).state == "partial"
    return job


def get(web: Web, job: Job, format: str = "json", **headers: str) -> httpx2.Response:
    return httpx2.get(f"{web.api}/jobs/{job.id}/result", params={"format": format}, headers=headers, timeout=60)


@pytest.mark.parametrize("format", [name for name, kind in FORMATS.items() if kind.write])
def test_a_text_format_is_that_of_the_client(web: Web, job: Job, format: str) -> None:
    answer = get(web, job, format)
    expected = job.result(format)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FORMATS[format].media_type
    assert (answer.json() if format == "json" else answer.content.decode()) == expected
    assert answer.headers["content-disposition"].startswith('attachment; filename="Gr__e__2026_.v1.')
    assert "filename*=UTF-8''Gr%C3%BC%C3%9Fe__2026_.v1" in answer.headers["content-disposition"]


def test_a_pdf_is_waited_for_and_asked_for_once(stack: Stack, web: Web, job: Job) -> None:
    stack.processes["documents"].send_signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as pool:
            waiting = pool.map(lambda _: get(web, job, "pdf"), range(8))
            eventually(lambda: stack.redis.exists(names.asked_key(names.format_id(job.id, 1, "pdf"))))
            time.sleep(1)  # in which all of them have asked
            queued = sum(stack.redis.llen(key) for key in stack.redis.keys("documents*"))
            stack.processes["documents"].send_signal(signal.SIGCONT)
            answers = list(waiting)
    finally:
        stack.processes["documents"].send_signal(signal.SIGCONT)
    assert queued <= 1, "none if Redis has handed the message to the worker, which waits for one"
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    with pymupdf.open(stream=io.BytesIO(answers[0].content), filetype="pdf") as pdf:
        assert (pdf.page_count, pdf[0].get_text().strip()) == (3, "page 1")


@pytest.mark.parametrize("format", ["json", "text"])
def test_parts_and_conditions(web: Web, job: Job, format: str) -> None:
    whole = get(web, job, format)
    size, tag = len(whole.content), whole.headers["etag"]
    for asked, first, last in (
        ("0-3", 0, 3),
        ("5-", 5, size - 1),
        ("-4", size - 4, size - 1),
        ("2-999999", 2, size - 1),
    ):
        part = get(web, job, format, Range=f"bytes={asked}")
        assert (part.status_code, part.content) == (206, whole.content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
    for wrong in (f"{size}-", "-0"):
        answer = get(web, job, format, Range=f"bytes={wrong}")
        assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
        assert answer.headers["content-range"] == f"bytes */{size}"
    for ignored in ("bytes=0-1,3-4", "lines=1-2", "bytes=4-2", "bytes=-", "x", f"bytes={'9' * 5000}-"):
        assert get(web, job, format, Range=ignored).content == whole.content
    assert get(web, job, format, Range="bytes=0-3", **{"If-Range": tag}).status_code == 206
    assert get(web, job, format, Range="bytes=0-3", **{"If-Range": '"other"'}).status_code == 200
    for known in (tag, f'"x", W/{tag}', "*"):
        answer = get(web, job, format, **{"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert get(web, job, format, **{"If-None-Match": '"x"'}).status_code == 200


def test_a_retry_gives_another_result_and_tag(stack: Stack, web: Web) -> None:
    job = stack.client().submit(document(2, {2: KILL_CHILD}, salt=1))
    job.wait(60)
    before = get(web, job)
    job.retry()
    early = get(web, job)
    job.wait(60)
    after = get(web, job, **{"If-None-Match": before.headers["etag"]})
    assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (409, "not_ready", "2")
    assert (after.status_code, after.headers["etag"] != before.headers["etag"]) == (200, True)


def test_a_result_can_be_waited_for(stack: Stack, web: Web) -> None:
    job = stack.client().submit(document(2, salt=2))
    answer = httpx2.get(f"{web.api}/jobs/{job.id}/result?wait=50&format=text", timeout=60)
    assert (answer.status_code, answer.text) == (200, "page 1\n\fpage 2\n")


def test_a_job_without_a_result_says_why(stack: Stack, web: Web) -> None:
    failed = stack.client().submit(b"no document")
    failed.wait(60)
    answer = get(web, failed)
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_format")
    assert answer.headers["content-type"] == "application/problem+json"
    broken = stack.client().submit(document(1, {1: RAISE}, salt=3))
    status = broken.wait(60)
    answer = get(web, broken, "text")
    assert (answer.status_code, answer.json()["code"]) == (422, "engine_error")
    why = "no page could be read; page 1: the engine failed: RuntimeError: the page tells the engine to fail"
    assert (status.code, status.message) == ("engine_error", why), "who only asks for the status learns it, too"
    shown = httpx2.get(f"{web.api}/jobs/{broken.id}").json()
    assert (shown["code"], shown["message"]) == ("engine_error", why)
    task = httpx2.get(f"{web.url}/v1/status/poll/{broken.id}").json()
    assert (task["task_status"], task["error_message"]) == ("failure", f"engine_error: {why}")
    broken.retry()
    again = broken.status()
    assert (again.has_ended, again.code, again.message) == (False, None, None)


def test_head_tells_what_get_would_send(web: Web, job: Job) -> None:
    path = f"{web.api}/jobs/{job.id}/result?format=text"
    whole, head = httpx2.get(path), httpx2.head(path)
    assert (head.status_code, head.content) == (200, b"")
    same = ("content-length", "content-type", "etag", "accept-ranges", "content-disposition")
    assert [head.headers[name] for name in same] == [whole.headers[name] for name in same]
    part = httpx2.head(path, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.headers["content-length"]) == (206, "4")
    for probe in ("/livez", "/readyz", "/health", "/metrics", "/", "/openapi.json"):
        assert httpx2.head(web.url + probe).status_code == 200, probe
    assert httpx2.head(f"{web.api}/jobs").headers["content-type"] == "application/json"
    assert httpx2.head(f"{web.url}/nowhere").status_code == 404
    assert httpx2.head(f"{web.url}/v1/ocr").status_code == 405


def test_an_unknown_format_is_refused(web: Web, job: Job) -> None:
    answer = get(web, job, "docx")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "alto" in answer.json()["detail"]


def test_a_lost_result_is_an_error(stack: Stack, web: Web) -> None:
    job = stack.client().submit(document(1, salt=4))
    job.wait(60)
    (stack.folder / "data" / "spool" / "jobs" / job.id / "result-1.json").unlink()
    for format in ("json", "text", "pdf"):
        answer = get(web, job, format)
        assert (answer.status_code, answer.json()["code"]) in {(503, "storage_error"), (422, "storage_error")}, format
        assert "submit the document again" in json.dumps(answer.json())
