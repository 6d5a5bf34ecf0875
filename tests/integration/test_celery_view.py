"""What a service sees that knows nothing but Celery: a job is a task, and the job's end is the task's result."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import psutil
import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError

from ocrqueue.errors import OcrFailed
from ocrqueue.storage.spool import END
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.ledger_steps import dead
from tests.support.thorough import thorough_but

PARTIAL = {2: numbered.RAISE}


class Gate:
    """A web server whose documents come when a test lets them: until then the job hangs in being opened."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.asked: list[str] = []  # paths, once for each request
        self._open: dict[str, threading.Event] = {}
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.asked.append(self.path)
                gate._open[self.path].wait(30)
                content = gate.documents[self.path]
                with suppress(OSError):  # who asked may be dead by now
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def put(self, path: str, content: bytes) -> str:
        """Lay a document down; its URL."""
        self.documents[path], self._open[path] = content, threading.Event()
        return f"http://127.0.0.1:{self.port}{path}"

    def open(self, path: str) -> None:
        """Let it out."""
        self._open[path].set()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def stack(gate: Gate) -> Iterator[Stack]:
    with running() as stack:
        stack.redis.config_set("notify-keyspace-events", "KA")  # tests see each write to a key
        stack.start_documents(children=2, OCR_ALLOWED_SOURCES=f"http://127.0.0.1:{gate.port}/")
        stack.start_worker(children=2)
        yield stack


@pytest.fixture(scope="module")
def celery(stack: Stack) -> Celery:
    """Somebody else's Celery application: a broker, a result backend, JSON; none of this project's settings."""
    url = stack.client().settings.redis
    return Celery("somebody-elses", broker=url, backend=url, set_as_current=False)


class Sent:
    """A job that was sent by that application, with a client that is blocked in `get` from the beginning on."""

    def __init__(self, stack: Stack, celery: Celery, gate: Gate, content: bytes) -> None:
        self.stack, self.gate, self.celery = stack, gate, celery
        self.id = str(uuid4())
        self.path = f"/{self.id}.tif"
        self.url = gate.put(self.path, content)
        self.key = f"celery-task-meta-{self.id}"
        self._writes = Writes(stack, self.key)
        self.send()
        eventually(lambda: self.path in gate.asked)
        self.get = Background(lambda: celery.AsyncResult(self.id).get(timeout=30))
        eventually(lambda: dict(stack.redis.pubsub_numsub(self.key))[self.key])

    def send(self) -> None:
        arguments = {"source": {"url": self.url}, "options": {}, "version": 1}
        self.celery.send_task("ocr.document", kwargs=arguments, task_id=self.id, queue="documents")

    def history(self) -> list[str]:
        """What was done to its result."""
        return self._writes.seen()

    def close(self) -> None:
        self.gate.open(self.path)
        self._writes.close()


class Writes:
    """What is done to a key from now on: "set" for each time a value is stored, "del" where it is taken away."""

    def __init__(self, stack: Stack, key: str) -> None:
        self._pubsub = stack.redis.pubsub()
        self._pubsub.subscribe(f"__keyspace@0__:{key}")
        assert self._pubsub.get_message(timeout=10)

    def seen(self) -> list[str]:
        """So far, all of it once."""
        found = []
        while message := self._pubsub.get_message(timeout=0.2):
            found.append(message["data"])
        return [event for event in found if event in ("set", "del")]

    def close(self) -> None:
        self._pubsub.close()


class Background:
    """What a function returns or raises, in a thread of its own."""

    def __init__(self, what: Callable[[], Any]) -> None:
        self._what = what
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._what()
        except Exception as e:
            self._outcome = e

    def outcome(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive(), "still blocked"
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.fixture
def send(stack: Stack, celery: Celery, gate: Gate) -> Iterator[Callable[[bytes], Sent]]:
    sent: list[Sent] = []

    def one(content: bytes) -> Sent:
        sent.append(Sent(stack, celery, gate, content))
        return sent[-1]

    yield one
    for job in sent:
        job.close()


@pytest.mark.parametrize(
    ("behaviours", "state", "counts"), [({}, "done", (3, 0, 0)), (PARTIAL, "partial", (2, 1, 0))]
)  # fmt: skip
def test_get_returns_the_summary(
    send, celery: Celery, behaviours: dict[int, int], state: str, counts: tuple[int, ...]
) -> None:
    started = time.time()
    job = send(numbered.document(3, behaviours))
    assert not job.stack.redis.exists(job.key), "something is stored before the job has ended"
    job.gate.open(job.path)
    summary = job.get.outcome()
    seconds = summary.pop("seconds")
    assert 0 < seconds <= time.time() - started + 0.001  # rounded to milliseconds
    assert summary == {
        "job": job.id,
        "name": f"{job.id}.tif",
        "state": state,
        "pages": 3,
        "counts": dict(zip(("ok", "failed", "cancelled"), counts, strict=True)),
        "quality": None,
        "poorly_read": 0,
        "error": None,
    }
    later = celery.AsyncResult(job.id)
    assert later.get(timeout=30)["state"] == state
    assert (later.state, later.successful()) == ("SUCCESS", True)
    assert job.history() == ["set"]


@pytest.mark.parametrize(
    ("content", "starts"),
    [
        (b"no document at all", "unsupported_format: "),
        (numbered.document(2, {1: numbered.RAISE, 2: numbered.RAISE}), "engine_error: no page could be read; page 1: "),
    ],
)
def test_get_raises_what_was_wrong(send, celery: Celery, content: bytes, starts: str) -> None:
    job = send(content)
    job.gate.open(job.path)
    with pytest.raises(OcrFailed) as raised:
        job.get.outcome()
    assert str(raised.value).startswith(starts)
    assert raised.value.code == starts.partition(":")[0]
    assert celery.AsyncResult(job.id).state == "FAILURE"
    assert job.history() == ["set"]


def test_get_raises_that_it_was_cancelled(send, celery: Celery, stack: Stack) -> None:
    job = send(numbered.document(3))
    assert stack.client().job(job.id).cancel()
    assert not stack.redis.exists(job.key)
    job.gate.open(job.path)
    with pytest.raises(TaskRevokedError):
        job.get.outcome()
    assert celery.AsyncResult(job.id).state == "REVOKED"
    assert job.history() == ["set"]


def test_a_revoke_by_celery_cancels_the_job(celery: Celery, stack: Stack) -> None:
    job = stack.client().submit(numbered.document(40, dict.fromkeys(range(1, 41), numbered.SLOW)))
    eventually(lambda: job.status().ok)
    writes = Writes(stack, f"celery-task-meta-{job.id}")
    result = celery.AsyncResult(job.id)
    result.revoke()
    with pytest.raises(TaskRevokedError):
        result.get(timeout=30)
    status = job.status()
    assert (status.state, status.ok + status.cancelled) == ("cancelled", 40)
    assert writes.seen() == ["set"]  # at the end, and not by Celery at the beginning
    writes.close()


@pytest.mark.thorough
def test_a_revoke_before_the_message_comes_cancels_the_job(celery: Celery, stack: Stack, gate: Gate) -> None:
    job = str(uuid4())
    url = gate.put(f"/{job}.tif", numbered.document(3))
    gate.open(f"/{job}.tif")
    result = celery.AsyncResult(job)
    result.revoke()
    eventually(lambda: result.state == "REVOKED")
    celery.send_task("ocr.document", kwargs={"source": {"url": url}}, task_id=job, queue="documents")
    handle = stack.client().job(job)
    eventually(lambda: job in stack.client().ledger.jobs())
    status = handle.wait(timeout=30)
    assert (status.state, status.ok, status.cancelled) == ("cancelled", 0, 3)
    eventually(lambda: stack.client().spool.exists(job, END))  # its end has been told; that it was revoked, before
    assert celery.AsyncResult(job).state == "REVOKED"
    handle.retry()  # whoever wants it after all
    assert celery.AsyncResult(job).get(timeout=30)["counts"]["ok"] == 3
    assert handle.status().state == "done"


SERVICE = """
import sys
from celery import Celery
url, *jobs = sys.argv[1:]
app = Celery(broker=url, backend=url)
for job in jobs:
    try:
        print(app.AsyncResult(job).get(timeout=30)["state"])
    except Exception as e:
        print(type(e).__name__, str(e).partition(":")[0])
assert not [name for name in sys.modules if name.partition(".")[0] in ("ocrqueue", "tasks", "worker_config")]
"""


def test_the_service_needs_none_of_our_code(stack: Stack, tmp_path) -> None:
    client = stack.client()
    jobs = [client.submit(content) for content in (numbered.document(1), numbered.document(2, PARTIAL), b"nothing")]
    waiting = client.submit(numbered.document(1), engine="rapidocr")  # which nobody reads here
    eventually(lambda: waiting.status().state == "running")
    assert waiting.cancel()
    ids = [job.id for job in (*jobs, waiting)]
    run = subprocess.run(
        [sys.executable, "-I", "-c", SERVICE, client.settings.redis, *ids],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "done",
        "partial",
        "OcrFailed unsupported_format",
        "TaskRevokedError the job was cancelled",
    ]


@pytest.mark.thorough
def test_a_child_killed_while_it_opens_the_document(send, stack: Stack) -> None:
    job = send(numbered.document(3))
    (child,) = fetching(stack, job.gate.port)
    child.kill()
    eventually(lambda: job.gate.asked.count(job.path) == 2)
    assert f"job={job.id}: the child that worked on it is gone (lost)" in stack.text("documents")
    assert not stack.redis.exists(job.key), "Celery's own failure stands under the job's id"
    job.gate.open(job.path)
    assert job.get.outcome()["state"] == "done"
    assert job.history() == ["set"]


@pytest.mark.thorough
def test_a_document_that_kills_every_child_that_opens_it(send, stack: Stack) -> None:
    job = send(numbered.document(3))
    for attempt in (1, 2, 3):
        eventually(lambda n=attempt: job.gate.asked.count(job.path) == n and fetching(stack, job.gate.port))[0].kill()  # type: ignore[misc]
    with pytest.raises(OcrFailed, match="worker_lost: the worker was lost 3 times"):
        job.get.outcome()
    assert job.history() == ["set"]
    assert (job.id, 0) in dead(stack.client().ledger)


def fetching(stack: Stack, port: int) -> list[psutil.Process]:
    """The children that are connected to that port."""
    children = psutil.Process(stack.processes["documents"].pid).children()
    return [child for child in children if port in [c.raddr.port for c in child.net_connections("tcp4") if c.raddr]]


@pytest.mark.thorough
def test_the_same_id_sent_again_is_the_same_job(send, stack: Stack, celery: Celery) -> None:
    job = send(numbered.document(3))
    send_again(job, celery, still_active=1)  # came, saw the claim, and went
    job.gate.open(job.path)
    assert job.get.outcome()["counts"]["ok"] == 3
    send_again(job, celery, still_active=0)
    assert stack.client().ledger.jobs().count(job.id) == 1
    assert job.gate.asked.count(job.path) == 1
    assert job.history() == ["set"]
    assert stack.text("worker").count(f"job={job.id} page=1 read") == 1


def send_again(job: Sent, celery: Celery, still_active: int) -> None:
    """Send the job's message once more, and wait until it has been dealt with."""
    worker = "documents@test"
    inspect = celery.control.inspect([worker], timeout=10, limit=1)

    def accepted() -> int:
        return int(inspect.stats()[worker]["total"].get("ocr.document", 0))

    before = accepted()
    job.send()
    eventually(lambda: accepted() > before)
    eventually(lambda: [task["id"] for task in inspect.active()[worker]].count(job.id) == still_active)


@pytest.mark.thorough
def test_after_a_retry_the_old_result_is_gone_until_the_new_one_is_there(stack: Stack, celery: Celery) -> None:
    job = stack.client().submit(numbered.document(6, dict.fromkeys(range(2, 7), numbered.SLOW)))
    folder = stack.folder / "data" / "spool" / "jobs" / job.id
    eventually(lambda: job.status().ok)
    (source,) = folder.glob("source-*")
    source.rename(folder.parent / "away")  # the document is lost half-way ...
    first = celery.AsyncResult(job.id).get(timeout=30)
    assert first["state"] == "partial"
    (folder.parent / "away").rename(source)  # ... and comes back
    writes = Writes(stack, f"celery-task-meta-{job.id}")
    job.retry()
    second = celery.AsyncResult(job.id).get(timeout=30)
    assert second["state"] == "done"
    assert second["counts"] == {"ok": 6, "failed": 0, "cancelled": 0}
    assert second["seconds"] > first["seconds"]
    assert writes.seen() == ["del", "set"]
    writes.close()


@pytest.mark.parametrize("again", thorough_but(1, ["partial", "failed", "cancelled"]))
def test_a_retry_may_end_in_any_way(stack: Stack, celery: Celery, again: str) -> None:
    client = stack.client()
    pages = {"partial": PARTIAL, "failed": {1: numbered.RAISE, 2: numbered.RAISE}, "cancelled": {}}[again]
    job = client.submit(numbered.document(2, pages), engine="rapidocr" if again == "cancelled" else "numbered")
    for round_ in (1, 2):
        result = celery.AsyncResult(job.id)
        if again == "cancelled":
            eventually(lambda: job.status().state == "running")
            assert job.cancel()
            with pytest.raises(TaskRevokedError):
                result.get(timeout=30)
        elif again == "failed":
            with pytest.raises(OcrFailed, match="engine_error: "):
                result.get(timeout=30)
        else:
            assert result.get(timeout=30)["state"] == again
        status = job.wait(timeout=30)
        assert (status.state, status.round) == (again, round_)
        if round_ == 1:
            job.retry()
