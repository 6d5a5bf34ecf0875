"""The figures of the queue, as the ledger's scripts count them; `test_ledger_machine` compares them with a model."""

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import PageError
from ocrqueue.ledger import Ledger, Measured, figures
from ocrqueue.options import Options
from ocrqueue.states import JobState, Return
from tests.support.ledger_steps import (
    BROKEN,
    BUSY,
    JOB,
    SOURCE,
    START,
    assembled,
    later,
    mend,
    opened,
    read,
    retry,
    turn,
)

RAPID = ("rapidocr",)


def test_a_page_is_counted_once_with_its_seconds_wait_and_confidence(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 4, priority="high")
    later(ledger, 20)
    lost = turn(ledger, "lost")
    ledger.return_claim(JOB, "lost", Return.LOST)
    again = turn(ledger, "again")
    assert not ledger.finish(lost, {1: Measured(9.0, 0.1)}).done
    for _ in range(2):  # the answer was lost, and the worker asks again
        assert ledger.finish(again, {1: Measured(3.0, 0.97)}, 4.0).done
    ledger.finish(turn(ledger, "t2"), {2: BROKEN}, 1.0)
    ledger.finish(turn(ledger, "t3"), {3: None}, 0.5)
    found = figures.read(redis)
    assert found.pages == {("rapidocr", "ok"): 2, ("rapidocr", "failed"): 1}
    assert found.cached == {RAPID: 1}
    assert found.pages_open[("rapidocr", "high")] == 1
    assert found.dead == 1
    assert {b: n for b, n in found.seconds[RAPID].buckets.items() if n} == {5: 1}
    assert {b: n for b, n in found.confidence[RAPID].buckets.items() if n} == {0.98: 1}
    assert found.seconds[RAPID].sum == 3.0
    assert {b: n for b, n in found.wait[("rapidocr", "high")].buckets.items() if n} == {60: 3}
    assert found.wait[("rapidocr", "high")].sum == 60


def test_pages_that_a_cancel_or_a_missing_worker_ends_are_counted(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 3)
    ledger.cancel(JOB)
    opened(ledger, 2, job="b")
    for _ in range(2):
        mend(ledger, 0, job="b", **{**BUSY, "patience": 0, "unserved": START})
    assert figures.read(redis).pages == {("rapidocr", "cancelled"): 3, ("rapidocr", "failed"): 2}


def test_a_retried_page_ends_again(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2)
    read(ledger, None, "engine_error")
    assembled(ledger)
    assert figures.read(redis).jobs[JobState.PARTIAL] == 1
    retry(ledger)
    assert figures.read(redis).jobs[JobState.RUNNING] == 1
    read(ledger, None)
    assert figures.read(redis).pages == {("rapidocr", "ok"): 2, ("rapidocr", "failed"): 1}


def test_the_oldest_open_page(ledger: Ledger, redis: "redis_py.Redis") -> None:
    assert figures.read(redis).oldest == 0
    now = int(redis.time()[0])
    ledger.clock = now - 500
    opened(ledger, 1)
    ledger.clock = now - 100
    ledger.create("b", SOURCE, Options())
    assert figures.read(redis).oldest == pytest.approx(500, abs=5)
    read(ledger, "engine_error")
    assembled(ledger)
    assert figures.read(redis).oldest == pytest.approx(100, abs=5)
    ledger.clock = now - 50
    retry(ledger)
    assert dict(redis.zrange(names.WAITING, 0, -1, withscores=True)) == {"b": now - 100, JOB: now - 50}


def test_the_last_hour(ledger: Ledger, redis: "redis_py.Redis") -> None:
    now = int(redis.time()[0])
    opened(ledger, 10, job=JOB)
    for minutes_ago, seconds in ((90, 50.0), (30, 1.0), (30, 2.0), (0, 3.0)):
        ledger.clock = now - 60 * minutes_ago
        claim = turn(ledger, f"{minutes_ago}-{seconds}", batch=2)
        ledger.finish(claim, {page.number: Measured(1.0, None) for page in claim.pages}, seconds)
    hour = figures.last_hour(redis)
    assert [(one.minute, one.engine, one.pages, one.seconds) for one in hour] == [
        (now // 60 - 30, "rapidocr", 4, 3.0),
        (now // 60, "rapidocr", 2, 3.0),
    ]
    counts = figures.pages_per_minute(redis)
    assert len(counts) == figures.MINUTES
    assert [n for n in counts if n] == [4, 2]
    assert figures.page_speed(hour) == {"rapidocr": 1.0}
    for minute in range(200):  # the hash stays small
        ledger.clock = now + 60 * minute
        opened(ledger, 1, job=f"j{minute}")
        read(ledger, None, job=f"j{minute}")
    assert redis.hlen(names.MINUTES) == figures.MINUTES


def test_what_an_older_worker_does_is_counted_afterwards(ledger: Ledger, redis: "redis_py.Redis") -> None:
    """An older worker writes the same record, but not `counted`."""
    opened(ledger, 3)
    opened(ledger, 1, job="ended")
    opened(ledger, 1, job="dropped")
    redis.hset(names.job_key(JOB), mapping={"ok": 1, "cursor": 1})
    redis.hset(names.job_key("ended"), mapping={"ok": 1, "cursor": 1, "state": "done", "ended": ledger.now()})
    redis.zrem(names.OPEN, "ended", "dropped")
    redis.zrem(names.JOBS, "dropped")
    redis.delete(names.job_key("dropped"), names.pages_key("dropped"))
    assert not figures.are_whole(redis)
    ledger.recount()
    found = figures.read(redis)
    assert figures.are_whole(redis)
    assert {state: n for state, n in found.jobs.items() if n} == {JobState.RUNNING: 1, JobState.DONE: 1}
    assert found.pages_open == {("rapidocr", "normal"): 2}
    assert found.pages == {("rapidocr", "ok"): 2}
    assert redis.zrange(names.WAITING, 0, -1) == [JOB]


def test_failed_pages_from_before_an_upgrade_are_counted(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 1)
    ledger.finish(turn(ledger, "t"), {1: PageError("corrupt_file", "it is torn")})
    assert (figures.read(redis).failed, figures.read(redis).dead) == (1, 0)
    redis.hdel(names.COUNTS, "whole", "failed")  # which an older version does not write
    assert not figures.are_whole(redis)
    ledger.recount()
    assert (figures.are_whole(redis), figures.read(redis).failed) == (True, 1)


def test_jobs_from_before_an_upgrade_are_counted_but_not_their_pages(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2)
    read(ledger, None, None)
    assembled(ledger)
    redis.hdel(names.job_key(JOB), "counted")
    redis.delete(names.COUNTS, names.FIGURES, names.MINUTES)
    ledger.recount()
    found = figures.read(redis)
    assert found.jobs[JobState.DONE] == 1
    assert found.pages == {}


def test_an_ended_job_has_at_most_32_fields(ledger: Ledger, redis: "redis_py.Redis") -> None:
    """Beyond 32 the table of its hash doubles."""
    opened(ledger, 2)
    ledger.finish(turn(ledger, "t"), {1: PageError("engine_error", "it is so")})
    ledger.finish(turn(ledger, "u"), {2: Measured(1.0, 0.5, 0.4)})
    assembled(ledger)
    redis.hset(names.job_key(JOB), "published", 1)
    assert redis.hlen(names.job_key(JOB)) <= 32, redis.hkeys(names.job_key(JOB))


def test_events_are_counted_by_kind(redis: "redis_py.Redis") -> None:
    for what in ("queue_full", "queue_full", "too_large"):
        figures.count(redis, "refused", what)
    assert figures.read(redis).events == {("refused", "queue_full"): 2, ("refused", "too_large"): 1}
