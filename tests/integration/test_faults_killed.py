"""`kill -9` of each process at its worst moments, under a supervisor that restarts it. No page and no job is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ocrqueue import names
from ocrqueue.client import Job
from tests.support import numbered
from tests.support.faults import Supervised, eventually, send_all, supervised
from tests.support.ledger_steps import dead
from tests.support.thorough import thorough_but

ENGINES = "numbered=tests.support.engines:Numbered,slow=tests.support.engines:Slow,steady=tests.support.engines:Steady"
PAGE_SECONDS = 6


@pytest.fixture(scope="module")
def stack() -> Iterator[Supervised]:
    with supervised(OCR_PAGE_SECONDS=str(PAGE_SECONDS), OCR_MAX_CHILD_MB="512", OCR_CACHE_MAX_GB="0.1") as stack:
        # it knows the engines also while the worker is gone for longer than its announcement lasts
        stack.start_documents(children=1, OCR_WORKER_ENGINES=ENGINES)
        stack.start_worker(engines=ENGINES, children=2)
        stack.start_beat()
        stack.supervise()
        yield stack


@pytest.fixture(autouse=True)
def settled(stack: Supervised) -> Iterator[None]:
    """After each fault: no claim is held, no job is open, every end is published, and the stack works."""
    yield
    job = submit(stack, 2, engine="numbered")
    assert job.wait(timeout=60).state == "done"
    eventually(lambda: not stack.redis.exists(names.CLAIMS, names.OPEN, names.UNPUBLISHED), 30)
    assert int(stack.redis.get(names.BACKLOG) or 0) == 0
    assert all(p.poll() is None for p in stack.processes.values())


def submit(stack: Supervised, pages: int, behaviours: dict[int, int] | None = None, engine: str = "slow") -> Job:
    return stack.client().submit(numbered.document(pages, behaviours, salt=time.monotonic_ns()), engine=engine)


def reading(stack: Supervised) -> int:
    """How many claims of pages are held."""
    return int(stack.redis.zcard(names.CLAIMS))  # type: ignore[arg-type]


def attempts(job: Job, seconds: float = 60) -> list[int]:
    """Wait until the job is done, and check the text of each page. Returns the number of lost claims of each page."""
    status = job.wait(timeout=seconds)
    assert status.state == "done"
    pages = job.result()["pages"]
    assert [p["text"] for p in pages] == [numbered.text(n) for n in range(1, len(pages) + 1)]
    assert (status.ok, status.failed) == (len(pages), 0)
    return [p["attempts"] for p in pages]


def kill_while_they_read(stack: Supervised, processes: Callable[[], list[int]]) -> None:
    """Kill these processes while one of them holds a page. They are stopped first, so that none can finish its page."""

    def stopped() -> bool:
        family = processes()
        send_all(family, signal.SIGSTOP)
        eventually(lambda: all(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in family))
        if reading(stack):
            send_all(reversed(family), signal.SIGKILL)
            return True
        send_all(family, signal.SIGCONT)
        return False

    eventually(stopped)


def test_children_killed_in_the_middle_of_a_page(stack: Supervised) -> None:
    job = submit(stack, 6)
    eventually(lambda: job.status().ok and reading(stack))
    kill_while_they_read(stack, lambda: stack.children("worker"))
    assert 1 <= sum(attempts(job)) <= 2
    assert not stack.restarts["worker"], "the worker itself died"


def test_a_busy_worker_killed_with_its_children(stack: Supervised) -> None:
    before = stack.restarts["worker"]
    job = submit(stack, 6)
    eventually(lambda: job.status().ok and reading(stack))
    kill_while_they_read(stack, lambda: stack.family("worker"))
    assert 1 <= sum(attempts(job)) <= 2
    assert stack.restarts["worker"] == before + 1


@pytest.mark.thorough
def test_idle_workers_killed_just_before_a_job_is_sent(stack: Supervised) -> None:
    for _ in range(2):
        send_all([stack.strike("documents"), stack.strike("worker")], 0)
        job = submit(stack, 3, engine="numbered")
        assert attempts(job) == [0, 0, 0]


@pytest.mark.thorough
def test_a_lost_message_is_sent_again(stack: Supervised) -> None:
    stack.strike("documents", signal.SIGSTOP)  # so that no worker receives the message
    try:
        time.sleep(1.3)  # the BRPOP of the suspended worker, which would receive the message, ends after 1 s
        job = submit(stack, 3, engine="numbered")
        lost = [
            stack.redis.delete(f"{names.DOCUMENTS_QUEUE}{step}") for step in ("", "\x06\x163", "\x06\x166", "\x06\x169")
        ]
    finally:
        stack.strike("documents", signal.SIGCONT)
    assert sum(int(n) for n in lost) == 1  # type: ignore[arg-type]
    assert attempts(job) == [0, 0, 0]


def test_redis_killed_while_pages_are_read(stack: Supervised) -> None:
    job = submit(stack, 8)
    eventually(lambda: job.status().ok and reading(stack))
    stack.strike("redis")
    eventually(lambda: stack.restarts["redis"] == 1 and stack._answers())
    assert attempts(job) == [0] * 8


def test_beat_killed_and_then_a_worker(stack: Supervised) -> None:
    stack.strike("beat")
    eventually(lambda: stack.restarts["beat"] == 1)
    stack.strike("worker")
    assert attempts(submit(stack, 2, engine="numbered")) == [0, 0]


@pytest.mark.parametrize("point", thorough_but(2, ["opened", "ended", "assembling", "assembled", "read"]))
def test_a_task_killed_between_two_of_its_steps(stack: Supervised, point: str) -> None:
    trap = stack.trap(point)
    job = submit(stack, 4, engine="numbered")
    assert attempts(job) == [0, 0, 0, 0]
    eventually(lambda: not trap.exists())  # otherwise no process was killed
    eventually(lambda: stack.client().spool.exists(job.id, "end.json"), 30)


@pytest.mark.thorough
@pytest.mark.parametrize("point", ["assembling", "assembled", "ended"])
def test_a_task_killed_while_it_ends_a_job_whose_pages_came_from_the_cache(stack: Supervised, point: str) -> None:
    document = numbered.document(2, salt=time.monotonic_ns())
    client = stack.client()
    client.submit(document, engine="numbered").wait(timeout=60)
    trap = stack.trap(point)
    job = client.submit(document, engine="numbered")
    assert attempts(job) == [0, 0]
    assert all(page["cached"] for page in job.result()["pages"])
    eventually(lambda: not trap.exists() and client.spool.exists(job.id, "end.json"), 30)


def test_the_client_killed_between_record_and_message(stack: Supervised, tmp_path: Path) -> None:
    numbered.write(tmp_path / "a.tif", 2)
    program = (
        "import os; from ocrqueue.client import Client, submit\n"
        "Client.send = lambda *_: os.kill(os.getpid(), 9)\n"
        "submit('a.tif', engine='numbered')"
    )
    run = subprocess.run([sys.executable, "-c", program], env=stack.env, cwd=tmp_path, timeout=60)
    assert run.returncode == -signal.SIGKILL
    job = stack.client().job(stack.client().ledger.jobs()[-1])
    assert attempts(job) == [0, 0]


@pytest.mark.parametrize(
    ("behaviour", "engine"), thorough_but(1, [(numbered.GROW, "numbered"), (numbered.KILL_WORKER, "steady")])
)
def test_a_page_that_kills_every_process_that_reads_it(stack: Supervised, behaviour: int, engine: str) -> None:
    """If the page kills the whole worker, page 2, which is read at the same time, loses its claim, too. It is read at
    its last attempt, because the worker reads nothing else then.
    """
    before = stack.restarts["worker"]
    job = submit(stack, 4, {1: behaviour, 2: numbered.SLOW}, engine)
    assert job.wait(timeout=90).state == "partial"
    first, *others = job.result()["pages"]
    assert (first["error"]["code"], first["attempts"]) == ("worker_lost", 3)
    assert [(p["state"], p["text"]) for p in others] == [("ok", numbered.text(n)) for n in (2, 3, 4)]
    assert (job.id, 1) in dead(stack.client().ledger)
    assert stack.restarts["worker"] - before == (3 if behaviour == numbered.KILL_WORKER else 0)
    if behaviour == numbered.GROW:
        assert stack.text("worker").count("more than OCR_MAX_CHILD_MB=512") == 3


def ended_in_vain(stack: Supervised) -> int:
    """How many pages were read for nothing, or ran out of time, because a pause was longer than their limit."""
    log = stack.text("worker")
    return log.count("the pages that were read do not count") + log.count("the child that worked on it is gone")


@pytest.mark.thorough
def test_pages_of_a_suspended_worker_do_not_count_when_it_resumes(stack: Supervised) -> None:
    second = "second"
    before = submit(stack, 12)
    eventually(lambda: reading(stack) == 2)  # both children run again after the tests before this one
    before.cancel()
    before.wait(timeout=30)
    job = submit(stack, 2)
    eventually(lambda: job.status().state == "running" and reading(stack) == 2)
    stopped, ended = stack.family("worker"), ended_in_vain(stack)
    send_all(stopped, signal.SIGSTOP)
    try:
        stack.start_worker(second, engines=ENGINES, children=2)
        assert attempts(job) == [1, 1]
        status = job.status()
    finally:
        send_all(stopped, signal.SIGCONT)
    eventually(lambda: ended_in_vain(stack) >= ended + 2)
    assert job.status() == status
    assert [p["attempts"] for p in job.result()["pages"]] == [1, 1]
    process = stack.unwatched(second)
    process.terminate()
    process.wait(30)


@pytest.mark.thorough
def test_all_processes_suspended_for_longer_than_any_limit(stack: Supervised) -> None:
    job = submit(stack, 6)
    eventually(lambda: job.status().ok and reading(stack) == 2)
    everything = [pid for name in stack.processes for pid in stack.family(name)]
    send_all(everything, signal.SIGSTOP)
    time.sleep(PAGE_SECONDS + 2)
    send_all(everything, signal.SIGCONT)
    attempts(job)
    assert "is gone (release)" in stack.text("worker")  # a child whose page ran out of time meanwhile


@pytest.mark.thorough
def test_a_worker_that_ends_at_sigterm_costs_no_page_an_attempt(stack: Supervised) -> None:
    before = stack.restarts["worker"]
    job = submit(stack, 6)
    eventually(lambda: job.status().ok and reading(stack))
    os.kill(stack.processes["worker"].pid, signal.SIGTERM)
    assert attempts(job) == [0] * 6
    eventually(lambda: stack.restarts["worker"] == before + 1)
