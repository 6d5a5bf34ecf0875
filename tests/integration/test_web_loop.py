"""No route of the process `web` holds its event loop, with documents of 10,000 pages and of 100,000 lines.

The test prints the longest times of each route: run it with `-m ""` for both documents.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from ocrqueue.web.settings import PREFIX
from tests.support.harness import Stack, running
from tests.support.long_jobs import LongJob
from tests.support.web import Web, endpoints, start_web

MOST = 100.0  # milliseconds
TRIES = 3  # the shortest of them counts: a busy machine spoils a measurement
JOB = f"{PREFIX}/jobs/{{job}}"
AZURE = "/documentintelligence/documentModels/{model}"
BOMB = b'{"x":[' + b"{}," * 85_000 + b"1]}"  # of the largest size that is taken
BASE64 = base64.b64encode(b"document" * 1_000_000).decode()
FILE = {"files": {"files": ("a.pdf", b"%PDF-1.7" * 1_000_000)}}
FORM = {"files": {"file": ("a.pdf", b"%PDF-1.7" * 1_000_000)}}
FIELDS = {"data": {f"field{number}": "x" * 2500 for number in range(100)}}
NAMES = {"model": "prebuilt-layout", "number": "1", "language": "de", "version": "0", "name": "icon.svg"}


def source(**options: Any) -> dict[str, Any]:
    return {"json": {"sources": [{"kind": "file", "base64_string": BASE64}], "options": options}}


@dataclass(frozen=True)
class Ask:
    """A request. It may be refused, but it must not hold the event loop."""

    query: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    on_copy: bool = False  # the job is a copy, which the request changes
    ok: bool = False  # it must be answered


JSON = {"Content-Type": "application/json"}
BOMBS = [Ask(given={"content": BOMB, "headers": JSON}), Ask(given={"content": b"[" * 200_000, "headers": JSON})]
ALL_FORMATS = ["md", "json", "html", "text"]
REQUESTS: dict[str, list[Ask]] = {
    f"POST {PREFIX}/jobs": [
        Ask("?formats=" + ",".join(["json"] * 10_000)), Ask("?" + "a&" * 30_000),
        Ask(given=FORM, ok=True), Ask(given=FORM | FIELDS),
        Ask(given={"json": {"url": "http://example.org/", "formats": ["json"] * 20_000}}), *BOMBS,
    ],
    f"GET {PREFIX}/jobs": [Ask("?limit=200"), Ask("?name=zzz&limit=200")],
    f"GET {JOB}": [Ask("?pages=true", ok=True)],
    f"DELETE {JOB}": [Ask(on_copy=True, ok=True)],
    f"POST {JOB}/cancel": [Ask(ok=True)],
    f"POST {JOB}/retry": [Ask()],
    f"GET {JOB}/pages": [Ask("?limit=1000", ok=True), Ask("?limit=1000&cursor=9000", ok=True)],
    f"GET {JOB}/pages/{{number}}": [Ask(ok=True)],
    f"GET {JOB}/pages/{{number}}/image": [Ask(ok=True)],
    f"GET {JOB}/events": [
        Ask(ok=True), Ask("?after=0;1-9999999;", ok=True),
        Ask("?after=0;" + ",".join(map(str, range(1, 1000, 2))) + ";", ok=True),
    ],
    f"GET {JOB}/search": [Ask("?q=page", ok=True), Ask("?q=zzz", ok=True)],
    f"GET {JOB}/result": [Ask(f"?format={name}", ok=True) for name in ("json", "text", "markdown", "pdf")],
    f"GET {JOB}/document": [Ask(ok=True)],
    f"GET {PREFIX}/deliveries": [Ask("?limit=1000")],
    f"POST {PREFIX}/deliveries/{{id}}/repeat": [Ask()],
    f"GET {PREFIX}/dead": [Ask("?limit=200")],
    f"GET {PREFIX}/stats": [Ask()],
    f"GET {PREFIX}/engines": [Ask()],
    f"GET {PREFIX}/models": [Ask()],
    f"POST {PREFIX}/models/unload": [Ask("?wait=0")],
    "GET /livez": [Ask()],
    "GET /readyz": [Ask()],
    "GET /health": [Ask()],
    "GET /version": [Ask()],
    "GET /metrics": [Ask()],
    "POST /api/ocr": [Ask(given=FORM, ok=True), Ask(given=FORM | FIELDS)],
    "POST /api/unload-model": [Ask()],
    "POST /v1/convert/file": [
        Ask(given=FILE | {"data": {"to_formats": ALL_FORMATS}}, ok=True), Ask(given=FILE | FIELDS),
        Ask(given=FILE | {"data": {"page_range": "[" + "1," * 30_000 + "1]"}}),
    ],
    "POST /v1/convert/file/async": [Ask(given=FILE, ok=True)],
    "POST /v1/convert/source": [
        Ask(given=source(to_formats=ALL_FORMATS), ok=True), Ask(given=source(to_formats=["json"] * 20_000)), *BOMBS,
    ],
    "POST /v1/convert/source/async": [Ask(given=source(), ok=True), Ask(given=source(ocr_lang=["en"] * 20_000))],
    "GET /v1/status/poll/{task}": [Ask(ok=True)],
    "GET /v1/result/{task}": [Ask(ok=True)],
    "POST /v1/files": [Ask(given=FORM, ok=True)],
    "GET /v1/files/{file}": [Ask(ok=True)],
    "GET /v1/files/{file}/content": [Ask(ok=True)],
    "GET /v1/files/{file}/url": [Ask(ok=True)],
    "DELETE /v1/files/{file}": [Ask(on_copy=True, ok=True)],
    "POST /v1/ocr": [
        Ask(given={"json": {"document": {"file_id": "{job}"}, "include_blocks": True}}, ok=True),
        Ask(given={"json": {"document": {"file_id": "{job}"}, "pages": "0-99999"}}, ok=True),
        Ask(given={"json": {"document": {"file_id": "{job}"}, "pages": list(range(0, 60_000, 2))}}, ok=True),
        Ask(given={"json": {"document": {"document_url": "data:;base64," + BASE64}}}, ok=True), *BOMBS,
    ],
    f"POST {AZURE}:analyze": [Ask(given={"json": {"base64Source": BASE64}}, ok=True), *BOMBS],
    f"GET {AZURE}/analyzeResults/{{operation}}": [
        Ask(ok=True), Ask("?outputContentFormat=markdown", ok=True),
    ],
    f"GET {AZURE}/analyzeResults/{{operation}}/pdf": [Ask(ok=True)],
    f"DELETE {AZURE}/analyzeResults/{{operation}}": [Ask(on_copy=True, ok=True)],
    "PUT /process": [Ask(given={"content": b"%PDF-1.7" * 1_000_000}, ok=True)],
    "GET /login": [Ask("?to=" + "/x" * 20_000)],
    "POST /login": [Ask(given={"content": b"key=" + b"%41" * 2000}), Ask(given={"content": b"a&" * 100_000})],
    "POST /logout": [Ask()],
    "GET /language/{language}": [Ask()],
    "GET /": [Ask(ok=True)],
    "GET /jobs/{job}": [Ask(ok=True), Ask("?page=9999", ok=True)],
    "GET /jobs/{job}/head": [Ask(ok=True)],
    "GET /jobs/{job}/pages/{number}": [Ask(ok=True)],
    "GET /static/{version}/{name}": [Ask(ok=True)],
    "GET /models": [Ask()],
}  # fmt: skip


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack without workers: the test ends the jobs that it submits."""
    with running() as stack:
        stack.client().spool.prepare()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack, program="tests.support.watched_web")


@contextmanager
def ending(job: LongJob) -> Iterator[None]:
    """In the block, the jobs that are submitted end with the pages of this one."""
    done = threading.Event()

    def end() -> None:
        while not done.wait(0.05):
            job.end_new()

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_every_route_has_a_request() -> None:
    assert sorted(REQUESTS) == sorted(endpoints())


def held(http: httpx2.Client, route: str, ask: Ask, job: str) -> tuple[float, float]:
    """Send a request and read the whole answer; returns for how long it held the event loop, as `watched_web` says."""
    method, path = route.split()
    ids = {**NAMES, "id": f"{job}-1", **dict.fromkeys(("job", "task", "file", "operation"), job)}
    given = ask.given
    if "json" in given:
        given = {"content": json.dumps(given["json"]).replace("{job}", job).encode(), "headers": JSON}
    http.get("/watched")
    with http.stream(method, path.format(**ids) + ask.query, **given) as answer:
        start = b""
        for piece in answer.iter_raw():
            start = start or piece[:500]
    assert answer.is_success or (not ask.ok and (answer.status_code < 500 or path == "/readyz")), (route, ask, start)
    found = http.get("/watched").json()
    return found["loop"], found["held"]


@pytest.mark.thorough
@pytest.mark.timeout(900)  # seconds, on a busy machine
@pytest.mark.parametrize(("pages", "lines"), [(10_000, 2), (100, 1000)])
def test_no_route_holds_the_event_loop(
    stack: Stack, web: Web, capsys: pytest.CaptureFixture[str], pages: int, lines: int
) -> None:
    long_job = LongJob(stack.client(), pages, lines)
    longest: dict[str, tuple[float, float]] = {}
    with web.client() as http, ending(long_job):
        for route, asks in REQUESTS.items():
            for ask in asks:
                loop, others = MOST + 1, MOST + 1
                for _ in range(TRIES):
                    if max(loop, others) > MOST:
                        found = held(http, route, ask, long_job.copy() if ask.on_copy else long_job.id)
                        loop, others = min(loop, found[0]), min(others, found[1])
                before = longest.get(route, (0.0, 0.0))
                longest[route] = max(before[0], loop), max(before[1], others)
    table = "\n".join(f"{loop:8.1f} {others:8.1f}  {route}" for route, (loop, others) in longest.items())
    with capsys.disabled():
        print(f"\n{pages:,} pages of {lines:,} lines: ms\n    loop     held  route\n{table}")
    assert [route for route, times in longest.items() if max(times) > MOST] == []


@pytest.mark.parametrize("has_ended", [True, False])
def test_words_are_found_in_a_result_and_in_pages_that_were_read_so_far(
    stack: Stack, web: Web, has_ended: bool
) -> None:
    job = LongJob(stack.client(), 300, 3)
    wanted = job.id if has_ended else job.submitted("open.pdf")
    if not has_ended:
        job.read(wanted)
    with web.client() as http:

        def search(words: str) -> tuple[list[int], bool]:
            found = http.get(f"{PREFIX}/jobs/{wanted}/search", params={"q": words}).json()
            assert all(words.casefold() in item["text"].casefold() for item in found["items"])
            return [item["page"] for item in found["items"]], found["more"]

        assert search("PAGE 29") == ([29, *range(290, 300)], False)
        pages, more = search("page")
        assert (pages, more) == (list(range(1, 201)), True)
        assert search('page" 1') == ([], False)
