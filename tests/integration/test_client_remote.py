"""The client over HTTP does what the client over Redis does, with real processes; then what only HTTP can break."""

import io
import itertools
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest

from ocrqueue.client import AnyClient, Document, JobStatus
from ocrqueue.client.children import ServedEngine
from ocrqueue.client.remote.client import RemoteClient
from ocrqueue.client.remote.settings import RemoteSettings
from ocrqueue.errors import (
    DocumentError,
    InvalidOptions,
    JobTimeout,
    OcrError,
    OcrFailed,
    QueueUnavailable,
    UnknownJob,
    WrongState,
)
from ocrqueue.ledger.workers import Worker, announce, withdraw
from ocrqueue.states import JobState
from tests.support import numbered
from tests.support.harness import Stack, eventually, free_port, running
from tests.support.thorough import thorough_but
from tests.support.web import Web, new_key, start_web

pytestmark = pytest.mark.timeout(120)
ENGINES = "numbered=tests.support.engines:Numbered,slow=tests.support.engines:Slow"


class Served(Stack):
    """A stack with a web process."""

    web: Web


@pytest.fixture(scope="module")
def stack() -> Iterator[Served]:
    with running(Served, OCR_WORKER_ENGINES=ENGINES) as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines=ENGINES)
        stack.start_beat()
        stack.web = start_web(stack)
        yield stack


def remote(url: str, key: str | None = None) -> RemoteClient:
    return RemoteClient(RemoteSettings(url, key))


@pytest.fixture(params=thorough_but(1, ["http", "redis"]))
def client(request: pytest.FixtureRequest, stack: Served) -> AnyClient:
    """Each test runs with both clients."""
    return stack.client() if request.param == "redis" else remote(stack.web.url)


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return self._file.readinto(buffer)


# -- the same with both ----------------------------------------------------------------------------------------------
def test_served_engines_are_listed_and_a_language_that_none_reads_is_refused(client: AnyClient, stack: Served) -> None:
    about = {"model": "m", "revision": "1", "queue": "pages.reader", "languages": ["de", "en"]}
    announce(stack.redis, Worker("a reader", "elsewhere", 7, "1", ("pages.reader",), {"reader": about}, 3), 30)
    try:
        listed = {engine.engine: engine for engine in client.engines()}
        assert listed["reader"] == ServedEngine("reader", "m", "1", ["de", "en"], ["elsewhere (7)"], 3)
        assert listed["numbered"].languages is None
        with pytest.raises(DocumentError, match="reader cannot read ru, en, but numbered can") as caught:
            client.submit(b"x", engine="reader", lang="ru+en")
        assert caught.value.code == "language_missing"
        with pytest.raises(InvalidOptions, match="use BCP 47"):
            client.submit(b"x", lang="Klingonish")
    finally:
        withdraw(stack.redis, "a reader")


def test_every_kind_of_source_is_read(client: AnyClient, tmp_path: Path) -> None:
    content = numbered.document(2)
    path = numbered.write(tmp_path / 'a ü "b".tif', 2)
    later = io.BytesIO(b"head" + content)
    later.seek(4)
    with path.open("rb") as file:
        sources = [path, str(path), content, bytearray(content), file, later, Pipe(content)]
        jobs = [client.submit(source, engine="numbered") for source in sources]  # type: ignore[arg-type]
    assert [job.text(60) for job in jobs] == ["page 1\n\fpage 2\n"] * len(jobs)
    assert [job.status().name for job in jobs] == [*[path.name] * 2, *["document"] * 2, path.name, *["document"] * 2]


def test_a_job_is_followed_and_its_result_comes_in_every_format(client: AnyClient) -> None:
    job = client.submit(
        numbered.document(4), name="four.tif", engine="numbered", pages="2-9", formats=["pdf"], fresh=True
    )
    assert [(page["page"], page["text"]) for page in job.pages(60)] == [(n, f"page {n}") for n in (2, 3, 4)]
    seen: list[JobStatus] = []
    status = job.wait(60, seen.append)
    assert seen[-1] == status == job.status()
    assert (status.state, status.ok, status.pages, status.missing_pages) == ("done", 3, 3, "5-9")
    result = job.result()
    assert (result["job"], result["source"]["name"], len(result["pages"])) == (job.id, "four.tif", 3)
    assert result["options"] == {"engine": "numbered", "pages": "2-9", "formats": ["pdf"], "fresh": True}
    assert re.findall(r"^page (\d)$", job.result("markdown", 60), re.MULTILINE) == ["2", "3", "4"]
    assert job.result("pdf", 60).startswith(b"%PDF-")
    stream = io.StringIO()
    assert job.write("jsonl", stream) == status
    assert stream.getvalue().count("\n") == 3
    assert job.warnings() == []
    with pytest.raises(InvalidOptions, match="unknown format 'docx'"):
        job.result("docx")


def test_a_failed_page_is_listed_and_retried(client: AnyClient) -> None:
    job = client.submit(numbered.document(3, {2: numbered.RAISE}), engine="numbered", name="three")
    assert job.wait(60).state == "partial"
    (page,) = job.failed_pages()
    assert (page.number, page.state, page.code) == (2, "failed", "engine_error")
    assert [page.state for page in job.page_states()] == ["ok", "failed", "ok"]
    assert [p["error"] and p["error"]["code"] for p in job.pages()] == [None, "engine_error", None]
    assert (job.id, 2, "engine_error", "three") in [(p.job, p.page, p.code, p.name) for p in client.dead()]
    job.retry()
    assert job.wait(60).round == 2
    job.drop()
    with pytest.raises(UnknownJob):
        job.status()


def test_a_job_is_cancelled(client: AnyClient) -> None:
    job = client.submit(numbered.document(30), engine="slow")
    eventually(lambda: job.status().ok, 60)
    with pytest.raises(WrongState):
        job.drop()
    with pytest.raises(WrongState):
        job.retry()
    assert job.cancel()
    status = job.wait(60)
    assert status.state == "cancelled"
    assert 0 < status.ok < 30
    assert not job.cancel()


def test_a_key_is_the_same_job(client: AnyClient, request: pytest.FixtureRequest) -> None:
    key = f"Rechnung №7 {request.node.name}"
    first = client.submit(numbered.document(1), key=key, engine="numbered")
    assert client.submit(io.BytesIO(numbered.document(1)), key=key, engine="numbered").id == first.id
    with pytest.raises(InvalidOptions, match=r"other options \(dpi\)"):
        client.submit(numbered.document(1), key=key, engine="numbered", dpi=200)


@pytest.mark.parametrize(
    ("source", "parameters", "error", "code"),
    [
        (b"", {}, DocumentError, "empty_file"),
        (b"abc", {"dpi": 7}, InvalidOptions, "invalid_options"),
        (b"abc", {"key": ""}, InvalidOptions, "invalid_options"),
        (io.StringIO("abc"), {}, InvalidOptions, "invalid_options"),
        ("/there/is/none", {}, FileNotFoundError, None),
    ],
)
def test_a_wrong_submission_makes_no_job(
    client: AnyClient, source: object, parameters: dict[str, object], error: type[Exception], code: str | None
) -> None:
    before = len(client.jobs())
    with pytest.raises(error) as caught:
        client.submit(source, **parameters)  # type: ignore[arg-type]
    assert getattr(caught.value, "code", None) == code
    assert len(client.jobs()) == before


def test_a_document_that_cannot_be_opened(client: AnyClient) -> None:
    job = client.submit(b"%PDF-1.4 torn", name="torn.pdf", engine="numbered")
    assert job.wait(60).code == "corrupt_file"
    for fails in (job.text, job.result, lambda: next(job.pages())):
        with pytest.raises(OcrFailed, match=r"^corrupt_file: "):
            fails()


def test_unknown_jobs(client: AnyClient) -> None:
    job = client.job("00000000-0000-4000-8000-000000000000")
    for unknown in (job.status, job.wait, job.text, job.cancel, job.retry, job.drop, job.page_states):
        with pytest.raises(UnknownJob):
            unknown()
    with pytest.raises(UnknownJob, match="is not a job's id"):
        client.job("../../metrics")


def test_many_jobs_are_followed_until_the_last_ends(client: AnyClient) -> None:
    jobs = [client.submit(numbered.document(1, salt=n), engine="numbered").id for n in range(12)]
    last = {}
    for last in client.follow(jobs, 60):
        assert list(last) == jobs
    assert {status.state for status in last.values()} == {"done"}
    assert [status.id for status in client.jobs() if status.id in jobs] == jobs
    newest = [status.id for status in client.newest_jobs(JobState.DONE, client.job(jobs[0]).status().name.upper())]
    assert [job for job in newest if job in jobs] == jobs[::-1]
    assert set(client.statuses(jobs)) == set(jobs)


def test_many_documents_are_submitted_and_a_bad_one_stops_none(client: AnyClient) -> None:
    sources = [Document(numbered.document(1), name="one"), b"", numbered.document(3)]
    found = list(client.submit_many(sources, engine="numbered"))
    assert [one.source for one in found] == [sources[0].source, b"", sources[2]]  # type: ignore[union-attr]
    assert [getattr(one.error, "code", None) for one in found] == [None, "empty_file", None]
    jobs = [one.job for one in found if one.job]
    assert [(job.wait(60).state, job.status().name) for job in jobs] == [("done", "one"), ("done", "document")]
    assert [job.text(60) for job in jobs] == ["page 1\n", "page 1\n\fpage 2\n\fpage 3\n"]


def test_waiting_ends_after_its_time(client: AnyClient) -> None:
    job = client.submit(numbered.document(30), engine="slow")
    with pytest.raises(JobTimeout, match=r"has not ended within 0\.5 s"):
        job.wait(0.5)
    assert job.cancel()
    job.wait(60)


def test_worker_children_are_listed_and_free_their_models(client: AnyClient) -> None:
    assert client.submit(numbered.document(1), engine="numbered").wait(60).state == "done"
    children = eventually(lambda: [child for child in client.children() if "numbered" in child.models])
    assert [child.models["numbered"] for child in children] == ["none"]
    answers = {answer.pid: answer.outcome for answer in client.unload(30)}
    assert answers[children[0].pid] == "freed"
    assert "numbered" not in eventually(lambda: [c for c in client.children() if c.pid == children[0].pid])[0].models


# -- only over HTTP --------------------------------------------------------------------------------------------------
@contextmanager
def cutting(port: int, cuts: int) -> Iterator[str]:
    """The URL of a TCP proxy that cuts the first `cuts` connections when the answer begins."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, port, cuts), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, port: int, cuts: int) -> None:
    for number in itertools.count():
        try:
            here, _ = server.accept()
        except OSError:  # the test has ended
            return
        threading.Thread(target=_serve, args=(here, port, number < cuts), daemon=True).start()


def _serve(here: socket.socket, port: int, cut: bool) -> None:
    with here, socket.create_connection(("127.0.0.1", port)) as there:
        sending = threading.Thread(target=_pass, args=(here, there, False))
        sending.start()
        _pass(there, here, cut)
        sending.join()


def _pass(source: socket.socket, target: socket.socket, cut: bool) -> None:
    with suppress(OSError):
        while (data := source.recv(65536)) and not cut:
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("how", thorough_but(1, ["stream", "bytes"]))
def test_a_lost_answer_makes_no_second_job(stack: Served, how: str) -> None:
    before = {status.id for status in stack.client().jobs()}
    content = numbered.document(2, salt=900)
    source = content if how == "bytes" else Pipe(content)
    with cutting(stack.web.port, 2) as url:
        job = remote(url).submit(source, engine="numbered")  # type: ignore[arg-type]
    assert {status.id for status in stack.client().jobs()} - before == {job.id}
    assert stack.client().job(job.id).text(60) == "page 1\n\fpage 2\n"


@pytest.mark.thorough
def test_lost_answers_of_commands_do_no_harm(stack: Served) -> None:
    job = stack.client().submit(numbered.document(2, {1: numbered.RAISE}), engine="numbered")
    job.wait(60)
    with cutting(stack.web.port, 2) as url:  # the status before, and the retry itself
        remote(url).job(job.id).retry()
    assert stack.client().job(job.id).wait(60).round == 2
    with cutting(stack.web.port, 3) as url:
        assert remote(url).job(job.id).result()["job"] == job.id
    with cutting(stack.web.port, 1) as url:
        remote(url).job(job.id).drop()
    with pytest.raises(UnknownJob):
        job.status()


def test_waiting_goes_on_while_the_web_process_is_started_again(stack: Served) -> None:
    web = start_web(stack, "short")
    job = remote(web.url).submit(numbered.document(10), engine="slow")
    shown: list[str | None] = []
    waiting = threading.Thread(target=lambda: job.wait(90, lambda status: shown.append(status.waiting_for)))
    waiting.start()
    eventually(lambda: shown)
    web.kill(signal.SIGKILL)
    eventually(lambda: any("trying again: the HTTP API" in (text or "") for text in shown), 60)
    stack.spawn("short", [sys.executable, "-m", "ocrqueue.web"], OCR_HTTP_PORT=str(web.port))
    waiting.join(90)
    assert not waiting.is_alive()
    assert job.status().state == "done"


def test_an_api_that_is_away_or_another_server_is_an_error() -> None:
    with pytest.raises(QueueUnavailable, match="cannot be reached"):
        remote(f"http://127.0.0.1:{free_port()}").jobs()


def test_keys_are_sent_and_refused(stack: Served) -> None:
    stack.env["OCR_API_KEYS"] = str(stack.folder / "keys.json")
    try:
        mine, other = new_key(stack, "mine"), new_key(stack, "other")
        few = new_key(stack, "few", requests=1)
        web = start_web(stack, "keyed")
    finally:
        del stack.env["OCR_API_KEYS"]
    job = remote(web.url, mine).submit(numbered.document(1), engine="numbered", key="k")
    assert [status.id for status in remote(web.url, mine).jobs()] == [job.id]
    assert remote(web.url, other).jobs() == []
    with pytest.raises(UnknownJob):
        remote(web.url, other).job(job.id).cancel()
    assert remote(web.url, other).submit(numbered.document(1), engine="numbered", key="k").id != job.id
    for key, code in ((None, "key_missing"), ("ocr_wrong", "key_missing")):
        with pytest.raises(OcrError) as caught:
            remote(web.url, key).jobs()
        assert caught.value.code == code
    assert remote(web.url, few).jobs() == []


class Refusing(BaseHTTPRequestHandler):
    """Passes the first request for a job on, and refuses all others for two minutes, as a proxy may do."""

    passes_on = ""  # the URL of the API; empty: no longer

    def do_GET(self) -> None:
        here, type(self).passes_on = self.passes_on, ""
        body = urlopen(here + self.path).read() if here else b'{"code": "rate_limited", "detail": "too many"}'
        self.send_response(200 if here else 429)
        self.send_header("Retry-After", "120")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("timeout", [None, 300])
def test_a_refusal_for_long_is_an_error(stack: Served, timeout: int | None) -> None:
    job = stack.client().submit(numbered.document(60), engine="slow")
    Refusing.passes_on = stack.web.url
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(OcrError, match="too many") as caught:
            remote(f"http://127.0.0.1:{server.server_port}").job(job.id).wait(timeout)
        server.shutdown()
    assert caught.value.code == "rate_limited"
    job.cancel()


def test_a_key_without_requests_left_delays_no_timeout(stack: Served) -> None:
    stack.env["OCR_API_KEYS"] = str(stack.folder / "limited.json")
    try:
        web = start_web(stack, "limited")
        client = remote(web.url, new_key(stack, "three", requests=3))
    finally:
        del stack.env["OCR_API_KEYS"]
    job = client.submit(numbered.document(60), engine="slow")
    started = time.monotonic()
    with pytest.raises(JobTimeout):
        job.wait(timeout=8)  # it asks four times
    assert time.monotonic() - started < 20, "the key may ask again after up to a minute"
    stack.client().job(job.id).cancel()


def test_a_server_that_does_not_answer_delays_no_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = remote(f"http://127.0.0.1:{silent.getsockname()[1]}").job("0" * 32)
        started = time.monotonic()
        with pytest.raises((JobTimeout, QueueUnavailable)):
            job.wait(timeout=2)
        assert time.monotonic() - started < 20, "a request may take a minute"
