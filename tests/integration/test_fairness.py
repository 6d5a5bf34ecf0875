"""Fairness: a short job is read while a long one runs, priorities hold, and a job without a worker says so."""

import re
from collections.abc import Iterator

import pytest

from ocrqueue import names
from ocrqueue.client import Job
from tests.support import numbered
from tests.support.harness import NUMBERED, Stack, eventually, running

ENGINES = "slow=tests.support.engines:Slow,batching=tests.support.engines:Batching"
CHILDREN = 2
PAGE_TIMES = 4  # a one-page job is read within so many page times, however long the job before it is


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents()
        stack.start_worker(engines=ENGINES, children=CHILDREN)
        stack.start_beat(1)
        yield stack


def end(job: Job) -> None:
    """Stop a job that a test does not need any more."""
    job.cancel()
    job.wait(timeout=30)


def test_a_short_job_is_read_while_a_long_one_runs(stack: Stack) -> None:
    client = stack.client()
    long = client.submit(numbered.document(40), engine="slow")
    eventually(lambda: long.status().ok >= 2)
    before = long.status().ok
    short = client.submit(numbered.document(1), engine="slow")
    assert short.wait(timeout=30).state == "done"
    meanwhile = long.status()
    assert meanwhile.ok - before <= PAGE_TIMES * CHILDREN
    assert meanwhile.state == "running"
    end(long)


@pytest.mark.thorough
def test_jobs_of_the_same_length_take_turns(stack: Stack) -> None:
    client = stack.client()
    jobs = [client.submit(numbered.document(40, salt=n), engine="slow") for n in range(3)]
    eventually(lambda: all(job.status().ok for job in jobs))
    start = [job.status().ok for job in jobs]
    eventually(lambda: sum(job.status().ok for job in jobs) >= sum(start) + 12)
    read = [job.status().ok - before for job, before in zip(jobs, start, strict=True)]
    assert max(read) - min(read) <= 2 * CHILDREN, read
    for job in jobs:
        end(job)


@pytest.mark.thorough
def test_a_short_job_is_read_while_a_long_one_is_read_in_batches(stack: Stack) -> None:
    client = stack.client()
    long = client.submit(numbered.document(60), engine="batching")
    eventually(lambda: claims(stack, long))
    short = client.submit(numbered.document(1), engine="batching")
    taken: set[tuple[int, ...]] = set()
    read_before = 0

    def watch() -> bool:
        nonlocal read_before
        taken.update(claims(stack, long))
        if not short.status().has_ended:
            read_before = long.status().ok
        return long.status().has_ended

    eventually(watch, every=0.02)
    assert short.status().state == "done"
    # A claim has 8 pages. The limit is two claims lower than PAGE_TIMES, because the job has only 60 pages.
    assert read_before <= PAGE_TIMES * CHILDREN * 8 - 16
    assert long.status().state == "done"
    assert sum(map(len, taken)) > 40, "too few claims were seen for a check"
    for pages in taken:
        open_before = 60 - (pages[0] - 1)
        assert len(pages) <= min(8, -(-open_before // CHILDREN)), f"{pages} is more than its share"


def claims(stack: Stack, job: Job) -> list[tuple[int, ...]]:
    """The pages of each claim that is held."""
    record = stack.redis.hgetall(names.job_key(job.id))
    lists = [value.split(" ")[2] for name, value in record.items() if name.startswith("claim:") and "page" in value]
    return [tuple(map(int, pages.split(","))) for pages in lists]


def test_priorities_and_a_queue_that_nobody_reads(stack: Stack) -> None:
    client = stack.client()
    jobs = {
        priority: client.submit(numbered.document(4), engine="rapidocr", priority=priority)
        for priority in ("low", "normal", "high")
    }
    for job in jobs.values():
        eventually(lambda job=job: job.status().state == "running")  # type: ignore[misc]
        waiting = job.status().waiting_for
        assert waiting
        assert waiting.startswith("no worker reads pages.rapidocr; start one with ")
    shown = stack.submit("status", jobs["low"].id)
    assert "no worker reads pages.rapidocr" in shown.stdout + shown.stderr
    stack.start_worker("late", engines="rapidocr=tests.support.engines:Numbered")
    for job in jobs.values():
        assert job.status().waiting_for is None
    for job in jobs.values():
        assert job.wait(timeout=30).state == "done"
    read = re.findall(r"job=(\S+) page=\d+ read", stack.text("late"))
    order = {job.id: priority for priority, job in jobs.items()}
    assert [order[job] for job in read] == ["high"] * 4 + ["normal"] * 4 + ["low"] * 4


@pytest.mark.thorough
def test_a_job_waits_for_an_engine_whose_worker_has_not_started(stack: Stack) -> None:
    both = f"{NUMBERED},later=tests.support.engines:Numbered"
    stack.kill("documents", 15)
    stack.start_documents("opener", OCR_WORKER_ENGINES=both)  # as with one .env for the whole stack
    try:
        job = stack.client().submit(numbered.document(2), engine="later")
        eventually(lambda: job.status().state == "running")
        assert "no worker reads pages.later" in str(job.status().waiting_for)
        unknown = stack.client().submit(numbered.document(2), engine="latest")
        assert unknown.wait(timeout=20).code == "invalid_options"
        assert "there are batching, later, mlx-vlm, numbered, rapidocr, slow" in str(unknown.status().message)
        stack.start_worker("soon", engines=both)
        assert job.wait(timeout=30).state == "done"
        stack.kill("soon", 15)
    finally:
        stack.kill("opener", 15)
        stack.start_documents()


@pytest.mark.thorough
def test_lanes_come_and_go_with_the_workers(stack: Stack) -> None:
    client = stack.client()
    job = client.submit(numbered.document(200), engine="slow")
    eventually(lambda: job.status().state == "running")
    lanes = lambda: client.ledger.job(job.id).lanes  # noqa: E731
    assert lanes() == 2 * CHILDREN
    stack.start_worker("second", engines=ENGINES, children=1)
    eventually(lambda: lanes() == 2 * (CHILDREN + 1))
    eventually(lambda: f"job={job.id} page=" in stack.text("second"))
    stack.kill("second", 15)
    eventually(lambda: lanes() == 2 * CHILDREN)
    queued = sum(stack.redis.llen(f"pages.slow{suffix}") for suffix in ("", "\x06\x163", "\x06\x166", "\x06\x169"))
    assert queued <= 2 * (CHILDREN + 1)  # never more messages than lanes
    end(job)
