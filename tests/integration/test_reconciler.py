"""The reconciler: lost messages, records and workers, and ends that were not published. Beat runs it every second."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import uuid4

import psutil
import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.errors import StorageError, UnknownJob
from ocrqueue.ledger import Ledger
from ocrqueue.steps.reconciler import Reconciler
from ocrqueue.storage.spool import END, JOB, Spool
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.ledger_steps import JOB as ID
from tests.support.ledger_steps import later, opened, states, turn

# kombu keeps a queue in four lists, one per priority. Their names are the queue's name with these suffixes.
SUFFIXES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_worker(children=2)
        stack.start_documents(children=2)
        stack.start_beat(1)
        yield stack


def lose(stack: Stack, queue: str) -> int:
    """Remove all messages of a queue. Returns how many."""
    lists = [queue + suffix for suffix in SUFFIXES]
    with stack.redis.pipeline() as pipe:
        for name in lists:
            pipe.llen(name)
        pipe.delete(*lists)
        return sum(pipe.execute()[:-1])


def pass_time(stack: Stack, job: Job, seconds: float) -> None:
    """Make the job's messages older by so many seconds."""
    key = names.job_key(job.id)
    for field, value in stack.redis.hgetall(key).items():
        if field.startswith("sent:"):
            stack.redis.hset(key, field, float(value) - seconds)
        elif field.startswith("lane:"):
            serial, when, wait, token = value.split(" ")
            stack.redis.hset(key, field, f"{serial} {float(when) - seconds:.3f} {wait} {token}")


@pytest.mark.thorough
def test_lost_tickets_are_sent_again(stack: Stack) -> None:
    job = stack.client().submit(numbered.document(5), engine="rapidocr")  # no worker serves this engine yet
    lost = 0

    def both_are_lost() -> bool:
        nonlocal lost
        lost += lose(stack, "pages.rapidocr")
        return lost == 2

    eventually(both_are_lost)
    stack.start_worker("late", engines="rapidocr=tests.support.engines:Numbered")
    assert job.status().ok == 0
    pass_time(stack, job, 20)
    assert job.wait(timeout=30).state == "done"
    assert {page["attempts"] for page in job.result()["pages"]} == {0}


def test_lost_messages_of_document_and_assembly_are_sent_again(stack: Stack) -> None:
    client = stack.client()
    reading = client.submit(numbered.document(4, dict.fromkeys(range(1, 5), numbered.SLOW)))
    eventually(lambda: reading.status().ok)
    os.killpg(stack.processes["documents"].pid, signal.SIGSTOP)
    queued = client.submit(numbered.document(3, salt=1))
    eventually(lambda: reading.status().finished == 4)
    stack.kill("documents")  # the messages that it has received are lost, too
    lose(stack, names.DOCUMENTS_QUEUE)
    assert (queued.status().state, reading.status().state) == ("queued", "running")
    stack.start_documents()
    for job in (queued, reading):
        pass_time(stack, job, 20)
    for job in (queued, reading):
        assert job.wait(timeout=30).state == "done"


def test_a_job_that_redis_has_lost_is_created_again_from_the_spool(stack: Stack) -> None:
    client = stack.client()
    job = client.submit(numbered.document(6, dict.fromkeys(range(1, 7), numbered.SLOW)), name="letter.tif")
    ended = client.submit(numbered.document(1, salt=1), name="note.tif")
    assert ended.wait(timeout=30).state == "done"
    eventually(lambda: client.spool.exists(ended.id, END))
    eventually(lambda: job.status().ok)
    note = client.spool.read_json(job.id, JOB)
    client.spool.write_json(job.id, JOB, note | {"created": note["created"] - 200})  # old enough to be in Redis
    for forgotten in (job, ended):
        stack.redis.delete(names.job_key(forgotten.id), names.pages_key(forgotten.id))
        stack.redis.zrem(names.OPEN, forgotten.id)
        stack.redis.zrem(names.JOBS, forgotten.id)
    stack.redis.hset(names.RECONCILER, "run_id", "of the server before")
    eventually(lambda: client.ledger.jobs().count(job.id))
    status = job.wait(timeout=30)
    assert (status.state, status.ok, status.name) == ("done", 6, "letter.tif")
    assert f"job={job.id}: Redis had lost it; created again from the spool" in stack.text("documents")
    assert ended.id not in client.ledger.jobs()
    late = stack.client().job(ended.id)  # of a client that never saw it
    assert (late.status().state, late.status().pages, late.status().name) == ("done", 1, "note.tif")
    assert late.text().strip() == numbered.text(1)
    assert numbered.text(1) in late.result("markdown")
    with pytest.raises(UnknownJob):
        stack.client().job(str(uuid4())).status()


def test_an_end_that_was_not_published_is_published(stack: Stack) -> None:
    client = stack.client()
    job = client.submit(numbered.document(1))
    assert job.wait(timeout=30).state == "done"
    eventually(lambda: not stack.redis.zscore(names.UNPUBLISHED, job.id))
    stack.redis.delete(f"celery-task-meta-{job.id}")
    client.spool.reopen(job.id)
    stack.redis.hdel(names.job_key(job.id), "published")
    stack.redis.zadd(names.UNPUBLISHED, {job.id: 1})  # as if a child had died before it published the end
    eventually(lambda: stack.redis.exists(f"celery-task-meta-{job.id}"))
    eventually(lambda: client.spool.exists(job.id, END))
    eventually(lambda: not stack.redis.zscore(names.UNPUBLISHED, job.id))


@pytest.mark.thorough
def test_an_end_that_cannot_be_published_does_not_delay_others(stack: Stack) -> None:
    client = stack.client()
    bad, good = (client.submit(numbered.document(1, salt=n)) for n in range(2))
    for job in (bad, good):
        assert job.wait(timeout=30).state == "done"
        eventually(lambda job=job: not stack.redis.zscore(names.UNPUBLISHED, job.id))  # type: ignore[misc]
    end = stack.folder / "data" / "spool" / "jobs" / bad.id / END
    end.unlink()
    end.mkdir()  # blocks the file's name
    stack.redis.delete(f"celery-task-meta-{good.id}")
    stack.redis.hdel(names.job_key(good.id), "published")
    stack.redis.zadd(names.UNPUBLISHED, {bad.id: 1, good.id: 2})
    eventually(lambda: stack.redis.exists(f"celery-task-meta-{good.id}"))
    assert stack.redis.zscore(names.UNPUBLISHED, bad.id) == 1
    assert f"job={bad.id}: its end could not be published: " in stack.text("documents")
    end.rmdir()
    eventually(lambda: not stack.redis.zscore(names.UNPUBLISHED, bad.id))


def test_a_page_whose_worker_vanished_is_read_by_another(stack: Stack) -> None:
    """The whole machine is gone, so no process returns the claim. The page is free when the lease runs out."""
    client = stack.client()
    stack.start_worker("doomed", engines="slow=tests.support.engines:Slow")
    job = client.submit(numbered.document(2), engine="slow")
    doomed = stack.processes.pop("doomed")
    (claim,) = eventually(lambda: claims_of_suspended(stack, doomed.pid))
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.wait()
    stack.start_worker("heir", engines="slow=tests.support.engines:Slow")
    ledger = Ledger(client.redis, lease=0)  # any server has run for longer than 0 seconds
    stack.redis.zadd(names.CLAIMS, {claim: 1})
    client.send(Reconciler(ledger, client.spool, 20, 3600).run())
    assert job.wait(timeout=30).state == "done"
    assert sorted(page["attempts"] for page in job.result()["pages"]) == [0, 1]


def claims_of_suspended(stack: Stack, worker: int) -> list[str]:
    """Suspend a worker and its children. Returns the claim of its page. If there is none, the worker resumes."""
    os.killpg(worker, signal.SIGSTOP)
    eventually(lambda: all(p.status() == psutil.STATUS_STOPPED for p in family(worker)))
    claims = [
        claim for claim in cast("list[str]", stack.redis.zrange(names.CLAIMS, 0, -1)) if is_of_a_page(stack, claim)
    ]
    if not claims:
        os.killpg(worker, signal.SIGCONT)
    return claims


def is_of_a_page(stack: Stack, claim: str) -> bool:
    job, token = claim.split(" ")
    return str(stack.redis.hget(names.job_key(job), f"claim:{token}")).startswith("page ")


def family(worker: int) -> list[psutil.Process]:
    parent = psutil.Process(worker)
    return [parent, *parent.children(recursive=True)]


# -- without workers, with a clock that stands still -------------------------------------------------------------------


@pytest.fixture
def reconciler(redis: "redis_py.Redis", tmp_path: Path) -> Reconciler:
    """A reconciler that runs every 20 seconds."""
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    return Reconciler(Ledger(redis, lease=1, clock=1_700_000_000), spool, tick=20, patience=3600)


def test_a_claim_is_freed_when_its_lease_has_run_out_and_not_before(reconciler: Reconciler, redis) -> None:
    ledger = reconciler.ledger
    eventually(lambda: redis.info("server")["uptime_in_seconds"] >= 1)
    opened(ledger, pages=2)
    turn(ledger, "vanished")
    later(ledger, 0.5)
    assert reconciler.run() == []
    later(ledger, 0.4)
    ledger.renew([(ID, "vanished")])
    later(ledger, 0.9)
    assert reconciler.run() == []
    later(ledger, 0.2)
    (message,) = reconciler.run()
    assert (message.kind, message.args) == ("page", (0, 1))  # the lane's next ticket
    assert states(ledger) == ["open", "open"]
    assert turn(ledger, "heir").pages[0].attempts == 1


def test_no_claim_is_freed_right_after_all_processes_were_suspended(reconciler: Reconciler, redis) -> None:
    ledger = reconciler.ledger
    eventually(lambda: redis.info("server")["uptime_in_seconds"] >= 1)
    opened(ledger, pages=2)
    reconciler.run()
    turn(ledger, "asleep")
    later(ledger, 100)  # the machine sleeps, and its workers too
    assert sent_pages(reconciler) == []
    later(ledger, 0.5)
    ledger.renew([(ID, "asleep")])  # the worker runs again and renews its lease
    later(ledger, 0.9)
    assert sent_pages(reconciler) == []
    assert states(ledger) == ["claimed", "open"]


@pytest.mark.parametrize(("tick", "lease", "gap"), [(20, 45, 33.75), (1, 4, 3), (10, 300, 30), (30, 3, 45)])
def test_a_pause_is_noticed_before_leases_run_out_in_it(reconciler: Reconciler, tick, lease, gap) -> None:
    """Leases are renewed 4.5 times in their length, so at the start of a pause at least 7/9 of a lease is left."""
    ledger = reconciler.ledger
    ledger.lease = lease
    slow = replace(reconciler, tick=tick)
    ledger.redis.hset(names.RECONCILER, "last", str(ledger.now()))
    later(ledger, gap - 0.1)
    slow.run()
    assert not ledger.redis.hget(names.RECONCILER, "grace")
    later(ledger, gap + 0.1)
    slow.run()
    assert float(ledger.redis.hget(names.RECONCILER, "grace")) == ledger.now() + lease


def sent_pages(reconciler: Reconciler) -> list[object]:
    return [message for message in reconciler.run() if message.kind == "page"]


def test_the_spool_is_searched_every_ten_minutes_and_after_a_restart(reconciler: Reconciler, redis) -> None:
    ledger, spool = reconciler.ledger, reconciler.spool
    reconciler.run()
    note = {"source": {"name": "a.tif", "spec": {"path": "/a.tif"}}, "options": {"dpi": 99}, "created": ledger.now()}
    spool.write_json(ID, JOB, note)
    later(ledger, 119)
    redis.hdel(names.RECONCILER, "swept")
    assert reconciler.run() == []  # the job may not have been written to Redis yet
    later(ledger, 10)
    assert reconciler.run() == []  # the last search was a moment ago
    later(ledger, 590)
    (message,) = reconciler.run()
    assert (message.kind, message.job) == ("document", ID)
    record = ledger.job(ID)
    assert (record.state, record.source.name, record.options.dpi) == ("queued", "a.tif", 99)

    redis.flushall()
    redis.hset(names.RECONCILER, mapping={"run_id": "another", "swept": ledger.now()})
    (message,) = reconciler.run()
    assert (message.kind, message.job) == ("document", ID)

    redis.flushall()
    spool.write_json(ID, END, {})
    assert reconciler.run() == []


def test_a_folder_with_a_damaged_job_json_is_skipped(reconciler: Reconciler, caplog) -> None:
    for n, note in enumerate(({}, {"created": "now"}, {"created": 0, "source": [], "options": {}})):
        reconciler.spool.write_json(ID.replace("5f0c", f"5f0{n}"), JOB, note)
    reconciler.spool.write_json(ID, JOB, {"created": 0, "source": {"name": "a", "spec": {}}, "options": {}})
    assert [message.job for message in reconciler.run()] == [ID]
    assert caplog.text.count("it cannot be created again from its folder in the spool") == 3


class AwaySpool(Spool):
    """A spool whose list of jobs cannot be read for a while."""

    is_away = True

    def jobs(self) -> Iterator[str]:
        if self.is_away:
            raise StorageError("spool: jobs: Connection refused")
        return super().jobs()


def test_a_spool_that_is_away_stops_no_message_and_is_searched_again_in_the_next_run(
    reconciler, redis, tmp_path
) -> None:
    spool = AwaySpool(str(tmp_path / "spool"))
    away = replace(reconciler, spool=spool)
    eventually(lambda: redis.info("server")["uptime_in_seconds"] >= 1)
    opened(away.ledger, pages=2)
    turn(away.ledger, "vanished")
    note = {"source": {"name": "a.tif", "spec": {"path": "/a.tif"}}, "options": {}, "created": away.ledger.now()}
    forgotten = "00000000-0000-4000-8000-000000000001"
    spool.write_json(forgotten, JOB, note)
    away.run()
    later(away.ledger, 200)
    away.run()  # a pause: nothing is freed for one lease
    later(away.ledger, 1.5)
    assert [message.kind for message in away.run()] == ["page"]  # the lane's next ticket
    spool.is_away = False
    assert ("document", forgotten) in [(message.kind, message.job) for message in away.run()]
