"""Backpressure: a refused submission gets the reason and leaves nothing; jobs that were accepted before it end."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery

from ocrqueue import names
from ocrqueue.client import Client
from ocrqueue.errors import OcrFailed, QueueFull
from tests.support import numbered
from tests.support.harness import Stack, eventually, running

SLOW = "slow=tests.support.engines:Slow"


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running() as stack:
        yield stack


def left(stack: Stack) -> tuple[list[Path], dict[str, str | None]]:
    """Everything that a submission could leave: files, and keys with their contents.

    Except the keys of workers, and the figures, which count refusals.
    """
    spool = stack.folder / "data" / "spool"
    others = ("ocr:worker", "ocr:child", "ocr:reconciler", "_kombu", names.FIGURES)
    keys = [key for key in stack.redis.keys("*") if not key.startswith(others)]
    return sorted(spool.rglob("*")), {key: stack.redis.dump(key) for key in sorted(keys)}  # type: ignore[misc]


def check_refused(stack: Stack, client: Client, says: str) -> None:
    """Check that a submission of each kind is refused and leaves nothing."""
    before = left(stack)
    with pytest.raises(QueueFull, match=says):
        client.submit(numbered.document(2))
    with pytest.raises(QueueFull, match=says):
        client.submit(numbered.document(2), key="invoice 7")
    with pytest.raises(QueueFull, match=says):
        client.submit("https://example.org/a.pdf")
    assert left(stack) == before


def test_submissions_over_the_limit_of_queued_pages_are_refused(stack: Stack) -> None:
    (stack.folder / "data" / "spool").mkdir(mode=0o700)
    client = stack.client(max_queued_pages=20)
    jobs = [
        client.submit(numbered.document(3, salt=n), engine="slow", key=f"{n}") for n in range(2)
    ]  # each counts as ten pages
    check_refused(stack, client, "20 pages are waiting and 20 are allowed")
    stack.env["OCR_MAX_QUEUED_PAGES"] = "20"
    path = numbered.write(stack.folder / "a.tif", 1)
    run = stack.submit("ocr", str(path), "--no-wait")
    assert (run.returncode, run.stdout) == (6, "")
    (line,) = run.stderr.splitlines()
    assert "20 pages are waiting" in line
    assert client.submit(numbered.document(3), engine="slow", key="0").id == jobs[0].id  # an existing job
    stack.start_worker(engines=SLOW, children=2)  # before a document is opened, because the engine must be known then
    celery = Celery(broker=client.settings.redis, backend=client.settings.redis, set_as_current=False)
    plain = partial(
        celery.send_task,
        "ocr.document",
        kwargs={"source": {"path": str(path)}},
        task_id=str(uuid4()),
        queue="documents",
    )
    sent = plain()  # it has no priority, so it is received first
    stack.start_documents(children=1, OCR_ALLOWED_SOURCES=str(stack.folder))
    with pytest.raises(OcrFailed, match="queue_full: 20 pages are waiting and 20 are allowed"):
        sent.get(timeout=30)
    assert len(client.ledger.jobs()) == 2
    assert {job.wait(timeout=30).state for job in jobs} == {"done"}
    assert client.ledger.backlog() == 0
    plain()
    eventually(lambda: len(client.ledger.jobs()) == 3)
    assert client.job(sent.id).wait(timeout=30).state == "done"
    assert celery.AsyncResult(sent.id).get(timeout=30)["counts"]["ok"] == 1
    assert client.submit(numbered.document(1), engine="slow").wait(timeout=30).state == "done"


@pytest.mark.thorough
def test_submissions_are_refused_when_redis_is_near_its_memory_limit(stack: Stack) -> None:
    stack.start_documents()
    stack.start_worker(engines=SLOW, children=2)
    client = stack.client()
    job = client.submit(numbered.document(12), engine="slow", formats=["text"])
    eventually(lambda: job.status().ok)
    used = stack.redis.info("memory")["used_memory"]
    stack.redis.config_set("maxmemory", int(used / 0.85))
    with pytest.raises(QueueFull, match="of its memory limit"):
        client.submit(numbered.document(1))
    spool = stack.folder / "data" / "spool" / "jobs"
    assert [folder.name for folder in spool.iterdir()] == [job.id]
    assert client.ledger.jobs() == [job.id]
    assert job.status().state == "running", "the job ended before the test could check anything"
    assert job.wait(timeout=30).state == "done"
    stack.redis.config_set("maxmemory", 0)
    assert client.submit(numbered.document(1), engine="slow").wait(timeout=30).state == "done"
