"""The end of a round is published while the job is in that round, or not at all, wherever a process stops."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from celery import Celery

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.storage.rounds import current_round, has_ended
from tests.support import numbered
from tests.support.faults import Supervised, eventually, send_all, supervised
from tests.support.thorough import thorough_but

PARTIAL = {2: numbered.RAISE}  # so that there is a page to retry
NOTICE = ("billing.document_read", "billing")
LISTS = [NOTICE[1] + suffix for suffix in ("", "\x06\x163", "\x06\x166", "\x06\x169")]  # kombu's lists of a queue


@pytest.fixture(scope="module")
def stack() -> Iterator[Supervised]:
    with supervised(OCR_NOTIFY_TASKS=NOTICE[0]) as stack:
        stack.start_documents(children=2)
        stack.start_worker()
        stack.start_beat()
        yield stack


@pytest.fixture
def celery(stack: Supervised) -> Celery:
    """An application that knows nothing but the broker and the result backend."""
    url = stack.client().settings.redis
    return Celery("somebody-elses", broker=url, backend=url, set_as_current=False)


@contextmanager
def stopped(stack: Supervised, name: str) -> Iterator[None]:
    """A worker with its children stands still."""
    pids = stack.family(name)
    send_all(pids, signal.SIGSTOP)
    eventually(lambda: all(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in pids))
    try:
        yield
    finally:
        send_all(pids, signal.SIGCONT)


def submit(stack: Supervised, salt: int) -> Job:
    return stack.client().submit(numbered.document(2, PARTIAL, salt=salt), notify=NOTICE)


def notices(stack: Supervised, job: Job) -> list[str]:
    """The states of which the task that the sender named was notified."""
    entries = [entry for name in LISTS for entry in stack.redis.lrange(name, 0, -1)]
    return [json.loads(entry)["headers"]["argsrepr"] for entry in entries if job.id in entry]


def shows_no_end(stack: Supervised, celery: Celery, job: Job) -> bool:
    """Whether the job is open to everyone who looks."""
    result = celery.AsyncResult(job.id).state == "PENDING"
    return result and not has_ended(stack.client().spool, job.id) and not job.status().has_ended


def test_a_retry_right_after_the_wait_is_not_overwritten_by_the_old_end(stack: Supervised, celery: Celery) -> None:
    for salt in range(8):
        job = submit(stack, salt)
        assert job.wait(timeout=60).round == 1
        assert celery.AsyncResult(job.id).state == "SUCCESS"
        with stopped(stack, "worker"):
            job.retry()
            eventually(lambda job=job: f"job={job.id} partial" in stack.text("documents"))  # type: ignore[misc]
            assert shows_no_end(stack, celery, job)
        status = job.wait(timeout=60)
        assert (status.state, status.round) == ("partial", 2)
        assert celery.AsyncResult(job.id).get(timeout=30)["seconds"] > 0
        eventually(lambda job=job: has_ended(stack.client().spool, job.id))  # type: ignore[misc]
        assert current_round(stack.client().spool, job.id) == 2
        assert len(notices(stack, job)) == 2


@pytest.mark.parametrize("point", thorough_but(1, ["encoded", "ended", "published", "recorded"]))
def test_a_publisher_that_stands_still_until_after_the_retry_changes_nothing(
    stack: Supervised, celery: Celery, point: str
) -> None:
    (stack.folder / point).write_text(str(int(signal.SIGSTOP)))
    job = submit(stack, 100 + len(point))
    assert job.wait(timeout=60).round == 1  # if the publisher stands still before, the reconciler publishes the end
    (publisher,) = eventually(lambda: stopped_children(stack))
    with stopped(stack, "worker"):
        job.retry()
        os.kill(publisher, signal.SIGCONT)
        lines = {"ended": "there is no end to publish", "encoded": "there is no end to publish"}
        line = f"job={job.id}: {lines[point]}" if point in lines else f"job={job.id} partial"
        eventually(lambda: line in stack.text("documents"))
        assert shows_no_end(stack, celery, job)
        assert len(notices(stack, job)) == 1
    status = job.wait(timeout=60)
    assert (status.state, status.round) == ("partial", 2)
    eventually(lambda: has_ended(stack.client().spool, job.id))
    assert len(notices(stack, job)) == 2


def stopped_children(stack: Supervised) -> list[int]:
    return [pid for pid in stack.children("documents") if psutil.Process(pid).status() == psutil.STATUS_STOPPED]


@pytest.mark.parametrize("point", thorough_but(1, ["encoded", "ended", "published", "recorded"]))
def test_an_end_is_published_once_wherever_its_publisher_is_killed(
    stack: Supervised, celery: Celery, point: str
) -> None:
    trap = stack.trap(point)
    job = submit(stack, 200 + len(point))
    assert job.wait(timeout=60).round == 1
    assert celery.AsyncResult(job.id).get(timeout=30)["counts"] == {"ok": 1, "failed": 1, "cancelled": 0}
    eventually(lambda: not stack.redis.zscore(names.UNPUBLISHED, job.id))
    assert not trap.exists()
    assert has_ended(stack.client().spool, job.id)
    assert len(notices(stack, job)) == 1


@pytest.mark.thorough
def test_an_end_that_the_spool_does_not_take_is_shown_and_recorded_later(stack: Supervised) -> None:
    full = stack.folder / "full"
    with stack.redis.pubsub() as events:  # type: ignore[no-untyped-call]
        events.psubscribe("*celeryev*succeeded")
        full.write_text("end.json")
        job = submit(stack, 290)
        assert job.wait(timeout=60).round == 1
        eventually(lambda: f"job={job.id}: its end could not be published: spool" in stack.text("documents"))
        assert not has_ended(stack.client().spool, job.id)
        full.unlink()
        eventually(lambda: has_ended(stack.client().spool, job.id))
        found = [message["data"] for message in iter(lambda: events.get_message(timeout=1), None)]
    bodies = [base64.b64decode(json.loads(data)["body"]) for data in found if isinstance(data, str)]
    assert len([body for body in bodies if job.id.encode() in body]) == 1
    assert len(notices(stack, job)) == 1


@pytest.mark.thorough
def test_a_retry_takes_the_place_of_an_end_that_is_not_published(stack: Supervised, celery: Celery) -> None:
    with stopped(stack, "beat"):  # so that nobody else publishes it
        (stack.folder / "encoded").write_text(str(int(signal.SIGSTOP)))
        job = submit(stack, 300)
        (publisher,) = eventually(lambda: stopped_children(stack))
        assert stack.client().ledger.job(job.id).has_ended
        assert not job.status().has_ended  # nobody sees the end yet
        with stopped(stack, "worker"):
            job.retry()
            os.kill(publisher, signal.SIGCONT)
            eventually(lambda: f"job={job.id}: there is no end to publish" in stack.text("documents"))
            assert shows_no_end(stack, celery, job)
            assert notices(stack, job) == []
    status = job.wait(timeout=60)
    assert (status.state, status.round) == ("partial", 2)
    assert len(notices(stack, job)) == 1


@pytest.mark.thorough
def test_a_job_that_redis_loses_in_its_second_round_is_created_again_in_that_round(stack: Supervised) -> None:
    client = stack.client()
    job = submit(stack, 400)
    job.wait(timeout=60)
    eventually(lambda: has_ended(client.spool, job.id))
    with stopped(stack, "worker"):
        job.retry()
        end = client.spool.exists(job.id, "end.json")
        stack.redis.delete(names.job_key(job.id), names.pages_key(job.id))
        for key in (names.OPEN, names.JOBS, names.UNPUBLISHED):
            stack.redis.zrem(key, job.id)
        note = client.spool.read_json(job.id, "job.json")
        client.spool.write_json(job.id, "job.json", note | {"created": note["created"] - 200})
        stack.redis.hset(names.RECONCILER, "run_id", "of the server before")
        eventually(lambda: job.id in client.ledger.jobs())
    assert not end
    assert job.wait(timeout=60).round == 2
