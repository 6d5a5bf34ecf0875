"""A job's handle: waiting, pages, cancelling and retrying. The tests do the work of the workers through the ledger."""

import json
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.client import Client, follow
from ocrqueue.errors import (
    JobTimeout,
    OcrFailed,
    PageError,
    StorageError,
    UnknownJob,
    WrongState,
)
from ocrqueue.ledger import Message, PageRecord
from tests.support.harness import Stack, eventually
from tests.support.player import Reader, read


# -- following --------------------------------------------------------------------------------------------------------
def test_a_job_is_waited_for_and_read(client: Client) -> None:
    job = client.submit(b"abc", name="scan.pdf")
    reader = threading.Thread(target=read, args=(client, job))
    reader.start()
    seen: list[str] = []
    status = job.wait(20, lambda s: seen.append(s.state))
    reader.join()
    assert (status.state, status.ok, status.finished) == ("done", 3, 3)
    assert seen[-1] == "done"
    assert job.text() == "page 1\n\fpage 2\n\fpage 3\n"
    result = job.result()
    assert (result["job"], result["state"], len(result["pages"])) == (job.id, "done", 3)
    assert [json.loads(line)["page"] for line in job.result("jsonl").splitlines()] == [1, 2, 3]


def test_waiting_returns_at_the_event_and_not_at_the_next_poll(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "INTERVAL", 600.0)
    job = client.submit(b"abc")
    timer = threading.Timer(0.3, read, (client, job))
    timer.start()
    assert job.wait(60).state == "done"
    timer.join()


def test_waiting_ends_after_its_time(client: Client) -> None:
    job = client.submit(b"abc")
    started = time.monotonic()
    with pytest.raises(JobTimeout):
        job.wait(0.3)
    assert time.monotonic() - started >= 0.3
    assert job.status().state == "queued"


def test_pages_are_yielded_as_they_are_read(client: Client) -> None:
    job = client.submit(b"abc")
    reader = Reader(client, job)
    reader.open(3)
    pages = job.pages(20)
    reader.step()
    first = next(pages)
    assert (first["page"], first["text"], first["state"]) == (1, "page 1", "ok")
    reader.step(failing=[2])
    second = next(pages)
    assert (second["page"], second["state"], second["error"]["code"]) == (2, "failed", "engine_error")
    reader.read()
    assert [page["page"] for page in pages] == [3]


@pytest.mark.parametrize("failing_first", [False, True])
def test_yielding_all_pages_reads_each_state_only_a_few_times(
    client: Client, monkeypatch: pytest.MonkeyPatch, failing_first: bool
) -> None:
    n = 50
    monkeypatch.setattr(follow, "GATHER", 0.01)  # seconds; each page is yielded before the next one is read
    job = client.submit(b"abc")
    reader = Reader(client, job)
    reader.open(n)
    if failing_first:  # all pages are opened again by a retry
        reader.read(range(1, n + 1))
        job.retry()
        reader.tickets = [
            Message("page", job.id, (0, int(client.redis.hget(names.job_key(job.id), "lane:0").split()[0])))
        ]
    states = 0
    create = PageRecord.__init__

    def count(*args: object, **kwargs: object) -> None:
        nonlocal states
        states += 1
        create(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(PageRecord, "__init__", count)
    pages = job.pages(60)
    found = []
    for _ in range(n):
        reader.step()
        found.append(next(pages)["page"])
    reader.read()
    assert found + [page["page"] for page in pages] == list(range(1, n + 1))
    assert states < 20 * n


def test_each_page_of_a_cancelled_job_is_yielded_once(client: Client) -> None:
    job = client.submit(b"abc")
    reader = Reader(client, job)
    reader.open(5)
    pages = job.pages(20)
    reader.step()
    assert next(pages)["page"] == 1
    job.cancel()
    reader.tickets.append(Message("assemble", job.id, (1,)))
    reader.read()
    assert [(page["page"], page["state"]) for page in pages] == [(n, "cancelled") for n in (2, 3, 4, 5)]


def test_a_partial_job_has_the_text_of_the_pages_that_were_read(client: Client) -> None:
    job = client.submit(b"abc")
    read(client, job, failing=[2])
    assert job.wait(5).state == "partial"
    assert job.text() == "page 1\n\f\fpage 3\n"
    (page,) = job.failed_pages()
    assert (page.number, page.code) == (2, "engine_error")
    ((dead),) = client.dead()
    assert (dead.job, dead.page, dead.code) == (job.id, 2, "engine_error")


def test_a_failed_job_raises_its_reason(client: Client) -> None:
    refused, unread = client.submit(b"abc"), client.submit(b"abc")
    Reader(client, refused).refuse(PageError("corrupt_file", "it is torn; send another"))
    read(client, unread, pages=2, failing=[1, 2])
    for job, message in (
        (refused, "corrupt_file: it is torn"),
        (unread, "engine_error: no page could be read; page 1"),
    ):
        with pytest.raises(OcrFailed, match=message):
            job.text()
    with pytest.raises(OcrFailed, match="corrupt_file"):
        list(refused.pages())
    assert [page["state"] for page in unread.pages()] == ["failed", "failed"]


def test_cancelling_keeps_what_was_read(client: Client) -> None:
    job = client.submit(b"abc")
    reader = Reader(client, job)
    reader.open(3)
    reader.step()
    assert job.cancel()
    client.redis.delete("documents\x06\x166")
    reader.tickets.append(Message("assemble", job.id, (1,)))
    reader.read()
    assert job.wait(5).state == "cancelled"
    assert job.text().startswith("page 1\n")
    assert not job.cancel()


def test_a_retry_removes_the_old_result_first(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc")
    read(client, job, failing=[2])
    redis.set(f"celery-task-meta-{job.id}", "{}")
    job.retry()
    assert job.status().state == "running"
    assert not redis.exists(f"celery-task-meta-{job.id}")
    assert redis.llen("pages.rapidocr\x06\x166") == 1


def test_a_retry_of_a_job_that_is_done_changes_nothing(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc")
    read(client, job)
    redis.set(f"celery-task-meta-{job.id}", "{}")
    with pytest.raises(WrongState):
        job.retry()
    assert redis.exists(f"celery-task-meta-{job.id}")


def test_a_dropped_job_leaves_nothing(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc")
    with pytest.raises(WrongState):
        job.drop()
    read(client, job)
    redis.set(f"celery-task-meta-{job.id}", "{}")
    job.drop()
    assert list(client.spool.jobs()) == []
    assert redis.keys(f"*{job.id}*") == []
    with pytest.raises(UnknownJob):
        job.status()
    with pytest.raises(UnknownJob):
        client.job("no id")


@pytest.mark.parametrize("kept", ["source", "job.json"])
def test_a_drop_that_could_not_remove_the_folder_is_repeated(
    client: Client, redis: Redis, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    job = client.submit(b"abc")
    read(client, job)

    def fails(folder: str) -> None:
        raise StorageError(f"{folder} cannot be removed")

    with monkeypatch.context() as patched:
        patched.setattr(client.spool.storage, "remove_tree" if kept == "source" else "remove", fails)
        with pytest.raises(StorageError):
            job.drop()
    assert list(client.spool.jobs()) == [job.id]
    job.drop()
    assert list(client.spool.jobs()) == []
    with pytest.raises(UnknownJob):
        job.drop()


def test_a_job_that_redis_has_lost_is_not_dropped_before_it_has_ended(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc")
    redis.flushall()
    with pytest.raises(WrongState, match="taken up again"):
        job.drop()
    assert client.spool.exists(job.id, "job.json")


def test_waiting_continues_for_a_job_that_redis_has_lost(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc")
    record = client.ledger.job(job.id)

    def forget_and_take_up() -> None:
        redis.flushall()
        time.sleep(0.3)
        client.ledger.create(job.id, record.source, record.options)
        read(client, job)

    timer = threading.Timer(0.3, forget_and_take_up)
    timer.start()
    assert job.wait(20).state == "done"
    timer.join()


@pytest.mark.parametrize("failing", [[], [2], [1, 2, 3]])
def test_waiting_ends_for_a_job_that_redis_loses_after_its_end(
    client: Client, redis: Redis, failing: Sequence[int]
) -> None:
    job = client.submit(b"abc")
    statuses = client.follow([job.id], timeout=5)
    assert not next(statuses)[job.id].has_ended
    read(client, job, failing=failing)
    ended = job.status()
    redis.flushall()  # before the client has seen the end
    *_, last = statuses
    seen = last[job.id]
    assert (seen.state, seen.round, seen.pages) == (ended.state, 1, 3)
    assert (seen.ok, seen.failed, seen.cancelled) == (3 - len(failing), len(failing), 0)
    if len(failing) < 3:
        assert seen.code is None


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack that has only Redis, which a test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
        stack = Stack(Path(folder))
        (Path(folder) / "data" / "spool").mkdir(exist_ok=True)
        stack.start_redis()
        yield stack
        stack.kill("redis")
        stack.redis.close()


def test_waiting_continues_after_a_restart_of_redis(stack: Stack) -> None:
    client = stack.client()
    job = client.submit(b"abc")
    waited_for: list[str | None] = []
    done: list[str] = []
    thread = threading.Thread(
        target=lambda: done.append(job.wait(30, lambda s: waited_for.append(s.waiting_for)).state)
    )
    thread.start()
    eventually(lambda: waited_for)
    stack.kill("redis", signal.SIGTERM)
    eventually(lambda: any(w and "trying again" in w for w in waited_for))
    stack.start_redis()
    read(client, job)
    thread.join(20)
    assert done == ["done"]
    client.redis.close()
