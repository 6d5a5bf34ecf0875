"""A hundred attacks that cost an attacker next to nothing. Each gets a plain answer, and nothing is worse afterwards.

The rest of each kind is in the tests of its part; what costs much is marked as thorough there.
"""

import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from ocrqueue.web.keys import Right
from tests.support.harness import Stack, eventually, running
from tests.support.messages import push
from tests.support.numbered import document
from tests.support.uploads import Footprint, answered
from tests.support.web import Web, new_key, start_web

JOBS, OCR, FILES = "/api/v1/jobs", "/v1/ocr", "/v1/files"
SOURCE, FORM = "/v1/convert/source/async", "/v1/convert/file/async"
ANALYZE = "/documentintelligence/documentModels/prebuilt-read:analyze"
NOWHERE = "9d6b3bb6-0d7e-4f5a-9c6e-0d1b6c1f2a3b"
MB = 1 << 20
MOST = 60 * MB  # by which the memory of the web process may have grown afterwards


def naming(source: object) -> list[tuple[str, Any]]:
    """A request to each route that takes a URL."""
    return [
        (JOBS, {"url": source}),
        (SOURCE, {"sources": [{"kind": "http", "url": source}]}),
        (OCR, {"document": {"type": "document_url", "document_url": source}}),
        (OCR, {"document": {"image_url": {"url": source}}}),
        (ANALYZE, {"urlSource": source}),
    ]


def found_at(url: str) -> dict[str, Any]:
    return {"sources": [{"kind": "http", "url": url}]}


LOCAL = ("/etc/passwd", "file:///etc/passwd", "/dev/zero", "pyproject.toml", "ftp://127.0.0.1/x", ["/etc/passwd"])
GOOD = "http://example.org/a"
MANY = ["md"] * 200_000
BODIES: list[tuple[str, Any]] = [
    *(request for source in LOCAL for request in naming(source)),
    (SOURCE, {**found_at(GOOD), "options": {"to_formats": MANY}}),
    (SOURCE, {**found_at(GOOD), "options": {"ocr_lang": MANY}}),
    (SOURCE, {**found_at(GOOD), "options": {"page_range": [1] * 200_000}}),
    (SOURCE, {"sources": [{"kind": "http", "url": GOOD}] * 20_000}),
    (OCR, {"document": {"document_url": GOOD}, "pages": list(range(200_000))}),
    (OCR, {"document": {"document_url": GOOD}, "pages": ["0-999999"] * 1_000}),
    (OCR, {"document": {"document_url": GOOD}, "pages": "0," * 100_000}),
    (JOBS, {"url": GOOD, "formats": ["text"] * 200_000}),
    (JOBS, {"url": GOOD, "pages": "1," * 200_000}),
    (JOBS, {"url": GOOD, "lang": "en+" * 200_000}),
    (JOBS, {"url": f"{GOOD}{'a' * 100_000}"}),
    (JOBS, {"url": GOOD, "webhook": "http://127.0.0.1:6379/"}),
    (JOBS, {"url": GOOD, "webhook": "file:///etc/passwd"}),
    (JOBS, {"url": GOOD, "dpi": 10**400}),
    (JOBS, {"url": GOOD, "password": "\ud800"}),
    *((path, "[" * 100_000) for path in (JOBS, SOURCE, OCR, ANALYZE)),
    *((path, '{"a":' * 50_000) for path in (JOBS, SOURCE, OCR, ANALYZE)),
    *((path, "{" + '"a":1,' * 300_000) for path in (JOBS, SOURCE, OCR, ANALYZE)),
    (SOURCE, {"sources": [{"kind": "file", "base64_string": "%%%%", "filename": "a.pdf"}]}),
    (ANALYZE, {"base64Source": "a"}),
    (OCR, {"document": {"document_url": "data:;base64,***"}}),
    (OCR, {"document": {"type": "file", "file_id": "../../../etc/passwd"}}),
]
READS = [
    *(f"{JOBS}/{id}/document" for id in ("..%2f..%2f..%2fetc%2fpasswd", "x" * 5_000, "%00", "-1", NOWHERE)),
    *(f"/v1/files/{id}/content" for id in ("..%2f..%2fkeys", NOWHERE)),
    f"/v1/result/{NOWHERE}",
    f"/static/0/{quote('../../../etc/passwd', safe='')}",
    *(
        f"{path}?cursor={cursor}"
        for path in (JOBS, "/api/v1/deliveries")
        for cursor in ("nan_x", "inf_x", "_", "9" * 999)
    ),
    f"{JOBS}?limit=999999999",
    f"{JOBS}?state=x",
    "/api/v1/dead?cursor=nan_x",
    "/?name=%ff&state=x&cursor=nan",
]
MESSAGES: list[dict[str, Any]] = [
    {"content-type": ["application/json"]},
    {"content-type": "application/x-python-serialize"},
    {"content-encoding": {"a": 1}},
    {"headers": {"task": ["ocr.document"], "id": "x"}},
    {"headers": {"task": "ocr.nothing", "id": "x"}},
    {"headers": []},
    {"properties": []},
    {"body": {"a": 1}},
    {"body": "not base64"},
]
NAMES = (
    "\x1b[31mred.pdf",
    "a\r\nb.pdf",
    "\u202egnp.pdf",
    "../../etc/cron.d/x.pdf",
    "\x00.pdf",
    "\x9b2J.pdf",
    "x" * 5_000,
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents(children=1)
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Iterator[Web]:
    web = start_web(stack, OCR_MAX_MB="4")
    new_key(stack, "attacker")
    yield web
    log = stack.text("web")
    assert "Traceback" not in log
    assert " ERROR " not in log


@pytest.fixture(scope="module")
def http(web: Web) -> Iterator[httpx2.Client]:
    with web.client(new_key(web.stack, "breaker", *Right)) as http:
        yield http


def test_requests_that_are_wrong_are_refused_and_leave_nothing(stack: Stack, web: Web, http: httpx2.Client) -> None:
    before, memory = Footprint(stack), web.process.memory_info().rss
    for path, body in BODIES:
        content = body if isinstance(body, str) else json.dumps(body)
        answer = http.post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 404, 413, 422), (path, content[:200], answer.text[:300])
        assert len(answer.content) < 4_000  # no answer is an echo
        assert "root:" not in answer.text
    for path in READS:
        answer = http.get(path)
        assert answer.status_code in (200, 303, 400, 404, 414, 422), (path[:200], answer.text[:300])
        assert "root:" not in answer.text
    eventually(before.is_as_before)
    assert web.process.memory_info().rss < memory + MOST


def test_names_are_made_safe_in_every_way_of_naming(http: httpx2.Client) -> None:
    ways = (
        lambda name: http.post(JOBS, files={"file": ("a.tif", document(1))}, data={"name": name}),
        lambda name: http.post(JOBS, content=document(1), headers={"X-Filename": quote(name)}),
        lambda name: http.post(f"{JOBS}?name={quote(name)}", content=document(1)),
    )
    for name in NAMES:
        for way in ways:
            assert way(name).status_code in (200, 202, 422)
    shown = http.get(f"{JOBS}?limit=100").json()["items"]
    assert shown
    for job in shown:
        assert job["name"].isprintable(), job["name"]
        assert len(job["name"]) <= 255


def test_answers_are_private_and_hosts_are_guarded(web: Web, http: httpx2.Client) -> None:
    job = http.post(JOBS, files={"file": ("a.tif", document(1))}).json()["job"]
    for path in (
        JOBS,
        f"{JOBS}/{job}",
        f"{JOBS}/{job}/document",
        f"{JOBS}/{job}/pages",
        f"/jobs/{job}",
        f"/v1/files/{job}",
    ):
        assert {"private", "no-store"} & set(http.get(path).headers["Cache-Control"].split(", ")), path
    two_lengths = (
        "POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
        "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", web.port), 60) as connection:
        connection.sendall(two_lengths.encode())
        assert answered(connection).count(b"HTTP/1.1") == 1


def test_open_pages_are_counted_also_if_many_submit_at_once(web: Web) -> None:
    documents = web.stack.processes["documents"]
    documents.send_signal(signal.SIGSTOP)  # a job that is not opened yet counts as ten pages
    try:
        with web.client(new_key(web.stack, "quota", open_pages=20)) as http, ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda n: http.post(JOBS, content=document(1, salt=n)).status_code, range(20)))
    finally:
        documents.send_signal(signal.SIGCONT)
    assert (answers.count(202), answers.count(429)) == (2, 18)


def test_malformed_messages_end_no_worker(stack: Stack) -> None:
    for changes in MESSAGES:
        push(stack, [[], {}, {}], changes=changes)
    for raw in ("hello", "[]", "{}", "[" * 100_000):
        stack.redis.lpush("documents", raw)
    eventually(lambda: not stack.redis.llen("documents"))
    job = stack.client().submit(b"no document")
    assert job.wait(60).state == "failed"  # the worker goes on
    assert stack.processes["documents"].poll() is None
