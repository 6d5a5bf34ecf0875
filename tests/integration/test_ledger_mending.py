"""How the ledger mends what got lost, shares out work, and stays small."""

from typing import Any

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.client.listing import all_dead
from ocrqueue.errors import PageError, QueueFull
from ocrqueue.ledger import Claim, Ledger, Mending, NewerRecord, Source
from ocrqueue.options import Options
from ocrqueue.states import Return
from tests.support.ledger_steps import (
    BROKEN,
    BUSY,
    IDLE,
    JOB,
    SOURCE,
    START,
    assembled,
    dead,
    dump,
    later,
    mend,
    opened,
    read,
    retry,
    sent,
    states,
    turn,
)


def records(redis: "redis_py.Redis") -> dict[str, Any]:
    """Everything but the lists of messages, which the reconciler brings up to date."""
    return {
        key: value
        for key, value in dump(redis).items()
        if not key.startswith((names.TAKEN, names.sent_key("", "")[:9]))
    }


# -- mending ---------------------------------------------------------------------------------------------------------
def test_mending_makes_no_difference_to_a_healthy_job(ledger: Ledger, redis: "redis_py.Redis") -> None:
    def untouched() -> bool:
        before = records(redis)
        step = mend(ledger, 2, **IDLE)
        return step.messages == [] and records(redis) == before

    ledger.create(JOB, SOURCE, Options())
    later(ledger, 10)
    assert untouched(), "queued"
    ledger.begin(JOB, "document", "opener")
    later(ledger, 40)
    assert untouched(), "being opened"
    ledger.open(JOB, "opener", 3, 2, {"total": 3, "queue": "q"})
    later(ledger, 19)
    assert untouched(), "tickets under way"
    claims = [turn(ledger, f"t{lane}", lane=lane) for lane in (0, 1)]
    later(ledger, 1000)
    assert untouched(), "being read"
    for lane, claim in enumerate(claims):
        ledger.finish(claim, {lane + 1: None})
    later(ledger, 19)
    assert untouched(), "the last page's tickets under way"
    read(ledger, None)
    later(ledger, 19)
    assert untouched(), "the assembly under way"
    ledger.begin(JOB, "assemble", "a", 1)
    later(ledger, 1000)
    assert untouched(), "being assembled"
    ledger.end(JOB, 1, "a")
    later(ledger, 1000)
    assert untouched(), "ended"


def test_a_lost_ticket_is_sent_again_with_the_same_serial_soon_where_the_queue_is_empty(ledger: Ledger) -> None:
    opened(ledger, 3)
    read(ledger, None)
    later(ledger, 19)
    assert sent(mend(ledger, 1, **IDLE)) == []
    later(ledger, 1)
    assert sent(mend(ledger, 1, **IDLE)) == [("page", 0, 1)]
    later(ledger, 20)
    assert sent(mend(ledger, 1, **IDLE)) == [("page", 0, 1)]


def test_a_backlog_makes_no_second_message(ledger: Ledger) -> None:
    """Neither for a document, nor for a ticket or an assembly, however long the queue is not empty."""
    ledger.create("queued", SOURCE, Options())
    opened(ledger, 3, lanes=2, job="running")
    opened(ledger, 1, job="read")
    read(ledger, None, job="read")
    for _ in range(500):
        later(ledger, 20)
        assert [sent(mend(ledger, 2, job=job, **BUSY)) for job in ("queued", "running", "read")] == [[], [], []]


def test_a_lost_ticket_is_found_when_a_later_one_is_taken(ledger: Ledger) -> None:
    opened(ledger, 3)
    later(ledger, 19)
    opened(ledger, 2, job="soon")
    later(ledger, 1)
    opened(ledger, 2, job="later")
    opened(ledger, 2, job="urgent", priority="high")
    later(ledger, 500)
    turn(ledger, "t1", job="urgent")
    turn(ledger, "t2", job="soon")
    assert sent(mend(ledger, 1, **BUSY)) == [], "it may be on its way"
    turn(ledger, "t3", job="later")
    assert sent(mend(ledger, 1, **BUSY)) == [("page", 0, 0)]
    assert sent(mend(ledger, 1, **BUSY)) == [], "it waits again"


def test_a_message_that_was_sent_twice_says_nothing_about_others(ledger: Ledger) -> None:
    """It may be the first of the two that was taken, before others that were sent meanwhile."""
    opened(ledger, 3, job="twice")
    later(ledger, 20)
    opened(ledger, 3)
    later(ledger, 20)
    assert sent(mend(ledger, 1, job="twice", **IDLE)) == [("page", 0, 0)]
    later(ledger, 20)
    turn(ledger, "t", job="twice")
    assert sent(mend(ledger, 1, **BUSY)) == []


def test_a_job_of_a_plain_message_says_nothing_about_others(ledger: Ledger) -> None:
    """It is created when its message is taken, so it never waited in the queue."""
    ledger.create(JOB, SOURCE, Options())
    later(ledger, 100)
    ledger.create("plain", SOURCE, Options())
    ledger.begin("plain", "document", "opener")
    assert sent(mend(ledger, 1, **BUSY)) == []


def test_a_lost_document_is_sent_again(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    later(ledger, 20)
    ledger.create("later", SOURCE, Options())
    later(ledger, 20)
    assert sent(mend(ledger, 1, **BUSY)) == []
    ledger.begin("later", "document", "opener")
    assert sent(mend(ledger, 1, **BUSY)) == [("document",)]
    later(ledger, 20)
    assert sent(mend(ledger, 1, **BUSY)) == []
    assert sent(mend(ledger, 1, **IDLE)) == [("document",)]


def test_a_lost_assembly_is_sent_again(ledger: Ledger) -> None:
    opened(ledger, 1)
    read(ledger, None)
    later(ledger, 20)
    ledger.create("later", SOURCE, Options())
    later(ledger, 20)
    assert sent(mend(ledger, 1, **BUSY)) == []
    ledger.begin("later", "document", "opener")
    assert sent(mend(ledger, 1, **BUSY)) == [("assemble", 1)]
    later(ledger, 20)
    assert sent(mend(ledger, 1, **IDLE)) == [("assemble", 1)]


def test_lanes_come_and_go_with_the_workers(ledger: Ledger) -> None:
    opened(ledger, 9, lanes=1)
    assert sent(mend(ledger, 3, **BUSY)) == [("page", 1, 0), ("page", 2, 0)]
    assert ledger.job(JOB).lanes == 3
    claims = [turn(ledger, f"t{lane}", lane=lane) for lane in range(3)]
    assert sent(mend(ledger, 1, **BUSY)) == []
    assert sent(ledger.finish(claims[2], {3: None})) == [], "its lane is not wanted any more"
    assert sent(ledger.finish(claims[1], {2: None})) == []
    assert sent(ledger.finish(claims[0], {1: None})) == [("page", 0, 1)]
    assert sent(mend(ledger, 2, **BUSY)) == [("page", 1, 1)], "wanted again, it is there at once"
    assert sent(mend(ledger, 50, **BUSY))[0] == ("page", 2, 1)
    assert ledger.job(JOB).lanes == 9, "never more than pages"


def test_workers_that_come_and_go_do_not_multiply_tickets(ledger: Ledger) -> None:
    opened(ledger, 9, lanes=4)
    for _ in range(5):
        assert sent(mend(ledger, 1, **BUSY)) == []
        assert sent(mend(ledger, 4, **BUSY)) == []


def test_a_job_opened_while_no_worker_was_there_starts_with_the_first(ledger: Ledger) -> None:
    assert sent(opened(ledger, 3, lanes=0)) == []
    assert sent(mend(ledger, 0, **IDLE)) == []
    assert sent(mend(ledger, 2, **IDLE)) == [("page", 0, 0), ("page", 1, 0)]


def test_pages_that_no_worker_reads_fail_in_the_end(ledger: Ledger) -> None:
    opened(ledger, 4, lanes=2)
    read(ledger, None)
    turn(ledger, "t1")
    ledger.return_claim(JOB, "t1", Return.LOST)
    last = turn(ledger, "t2")
    assert sent(mend(ledger, 0, **IDLE)) == []
    later(ledger, 3599)
    assert sent(mend(ledger, 0, unserved=START, **IDLE)) == []
    later(ledger, 1)
    assert sent(mend(ledger, 0, unserved=START, **IDLE)) == [], "one page is still being read"
    assert states(ledger) == ["ok", "claimed", "failed", "failed"]
    assert sent(ledger.return_claim(JOB, last.token, Return.LOST)) == [("page", 0, 3)]
    later(ledger, 3600)
    assert sent(mend(ledger, 0, unserved=START, **IDLE)) == [("assemble", 1)]
    pages = list(ledger.pages(ledger.job(JOB)))
    assert [p.code for p in pages[1:]] == ["model_missing"] * 3
    assert "60 minutes" in (pages[3].message or "")
    assert "pages.rapidocr" in (pages[3].message or "")
    assert assembled(ledger) == "partial"
    retry(ledger)
    assert ledger.backlog() == 3
    later(ledger, 3599)
    assert sent(mend(ledger, 0, unserved=START, **IDLE)) == [], "a retry has its own patience"
    assert states(ledger) == ["ok", "open", "open", "open"]


# -- fairness, versions, limits --------------------------------------------------------------------------------------
def test_a_batch_takes_at_most_its_share(ledger: Ledger) -> None:
    opened(ledger, 10, lanes=3)
    assert len(turn(ledger, "t1", batch=8, children=4).pages) == 3  # of 10
    assert len(turn(ledger, "t2", lane=1, batch=8, children=4).pages) == 2  # of 7
    assert len(turn(ledger, "t3", lane=2, batch=2, children=1).pages) == 2


def test_a_record_of_a_newer_version_is_left_alone(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2)
    claim = turn(ledger, "t1")
    redis.hset(names.job_key(JOB), "v", names.VERSION + 1)
    before = dump(redis)
    steps = [
        lambda: ledger.create(JOB, SOURCE, Options()),
        lambda: ledger.begin(JOB, "document", "t"),
        lambda: ledger.open(JOB, "t1", 2, 1, {}),
        lambda: ledger.refuse(JOB, "t1", BROKEN),
        lambda: ledger.claim(JOB, 0, 0, "t"),
        lambda: ledger.finish(claim, {1: None}),
        lambda: ledger.return_claim(JOB, "t1", Return.RELEASE),
        lambda: ledger.end(JOB, 1, "t1"),
        lambda: ledger.cancel(JOB),
        lambda: ledger.retry(JOB, 1),
        lambda: ledger.drop(JOB),
    ]
    for step in steps:
        with pytest.raises(NewerRecord, match=f"version {names.VERSION + 1}"):
            step()
    assert ledger.mend(Mending(JOB, 1, **IDLE)) == {JOB: None}
    assert dump(redis) == before


def test_a_record_of_a_newer_version_is_left_out_of_the_dead_pages(ledger: Ledger, redis: "redis_py.Redis") -> None:
    for job in ("newer", JOB):
        opened(ledger, 2, job=job)
        read(ledger, None, "engine_error", job=job)
    assert set(dead(ledger)) == {("newer", 2), (JOB, 2)}
    redis.hset(names.job_key("newer"), "v", names.VERSION + 1)
    assert [(page.job, page.page, page.code) for page in all_dead(ledger)] == [(JOB, 2, "engine_error")]


def test_a_full_redis_takes_no_job_but_lets_the_others_end(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 4)
    opened(ledger, 1, job="other")
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueFull, match="memory limit"):
            ledger.create("new", SOURCE, Options())
        read(ledger, None, "engine_error")
        claim = turn(ledger, "t")
        later(ledger, 30)
        ledger.renew([(JOB, claim.token)])
        later(ledger, 30)
        assert not ledger.return_claim(JOB, claim.token, Return.EXPIRED).done, "a lease can still be renewed"
        ledger.return_claim(JOB, claim.token, Return.LOST)
        mend(ledger, 2, **IDLE)
        ledger.cancel("other")
        read(ledger, None, None)
        assert assembled(ledger) == "partial"
        assert assembled(ledger, "other") == "cancelled"
        retry(ledger)
        ledger.cancel(JOB)
        ledger.confirm_end(JOB, ledger.job(JOB).round)
        ledger.drop("other")
    finally:
        redis.config_set("maxmemory", 0)
    assert ledger.jobs() == [JOB]


# -- memory ----------------------------------------------------------------------------------------------------------
def memory(redis: "redis_py.Redis") -> int:
    return sum(int(redis.memory_usage(key, samples=0) or 0) for key in redis.scan_iter())


@pytest.mark.parametrize("how", ["open", "claimed", "lost", "failed", "unserved", "ok"])
def test_a_large_job_stays_under_a_kilobyte_a_page(ledger: Ledger, redis: "redis_py.Redis", how: str) -> None:
    pages = 2000
    opened(ledger, pages, lanes=4)
    if how == "unserved":
        mend(ledger, 0, queue_empty=True, documents_empty=True, patience=0, unserved=START)
    elif how != "open":
        claim = turn(ledger, "0123456789abcdef", batch=pages)
        assert len(claim.pages) == pages
        error = PageError("engine_error", "x" * 300) if how == "failed" else None
        if how == "lost":
            ledger.return_claim(JOB, claim.token, Return.LOST)
        elif how != "claimed":
            ledger.finish(claim, dict.fromkeys(range(1, pages + 1), error))
    bound = {"open": 8 * 1024, "ok": 8 * 1024}.get(how, pages * 1024 // 2)  # half: results and queues need room as well
    assert memory(redis) < bound


def test_small_jobs_stay_under_four_kilobytes(ledger: Ledger, redis: "redis_py.Redis") -> None:
    spec = {"path": "/somewhere/with/a/long/name/" + "x" * 100}
    jobs = [f"{i:08d}{JOB[8:]}" for i in range(1000)]
    for job in jobs:
        source = Source("y" * 80, file="source-" + "0" * 64, sha256="0" * 64, bytes=123456, spec=spec)
        ledger.create(job, source, Options(pages="1", lang="en", priority="low"))
        ledger.begin(job, "document", "0123456789abcdef")
        record = {"total": 1, "engine": "rapidocr", "model": "m" * 40, "revision": "r" * 40, "queue": "pages.rapidocr"}
        ledger.open(job, "0123456789abcdef", 1, 1, record)
    for job in jobs:
        assert ledger.claim(job, 0, 0, "0123456789abcdef")
    assert memory(redis) < 1000 * 3500  # of 4 KB: results and queues need room as well
    for job in jobs:
        ledger.finish(Claim(ledger.job(job), "0123456789abcdef", ()), {1: PageError("engine_error", "x" * 300)})
        assembled(ledger, job)
    assert memory(redis) < 1000 * 3500
