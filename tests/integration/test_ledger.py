"""A job's way through the ledger, on a real server: one test for each rule of its accounting."""

from functools import partial

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import PageError, UnknownJob, WrongState
from ocrqueue.ledger import Ledger, Measured
from ocrqueue.ledger.finished import FinishedPages
from ocrqueue.options import Options
from ocrqueue.states import Return
from tests.support.ledger_steps import (
    BROKEN,
    IDLE,
    JOB,
    SOURCE,
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


# -- a healthy job ---------------------------------------------------------------------------------------------------
def test_a_job_goes_from_queued_to_done(ledger: Ledger) -> None:
    step = ledger.create(JOB, SOURCE, Options(priority="high"))
    assert sent(step) == [("document",)]
    assert ledger.job(JOB).state == "queued"
    assert ledger.backlog() == 10
    assert ledger.begin(JOB, "document", "opener")
    step = ledger.open(JOB, "opener", 3, 2, {"total": 3, "queue": "pages.rapidocr"})
    assert sent(step) == [("page", 0, 0), ("page", 1, 0)]
    assert {(m.queue, m.priority, m.name) for m in step.messages} == {("pages.rapidocr", 3, "scan.pdf")}
    assert ledger.backlog() == 3
    assert sent(read(ledger, None)) == [("page", 0, 1)]
    assert sent(read(ledger, None)) == [("page", 0, 2)]
    assert sent(read(ledger, None)) == [("assemble", 1)]
    assert ledger.backlog() == 0
    assert assembled(ledger) == "done"
    job = ledger.job(JOB)
    assert (job.state, job.ok, job.finished, job.pages) == ("done", 3, 3, 3)


def test_pages_that_were_asked_for_keep_their_numbers(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options(pages="2,5-6"))
    ledger.begin(JOB, "document", "opener")
    before = ledger.job(JOB)
    ledger.open(JOB, "opener", 3, 1, {"total": 9, "queue": "q"})
    read(ledger, None, "engine_error", None)
    assert [(p.number, p.state) for p in ledger.pages(ledger.job(JOB))] == [(2, "ok"), (5, "failed"), (6, "ok")]
    assert [p.number for p in ledger.pages(before)] == [2, 5, 6], "a record read earlier serves as well"
    assert dead(ledger) == [(JOB, 5)]
    assert assembled(ledger, missing=(6,)) == "partial"
    assert dead(ledger) == [(JOB, 5), (JOB, 6)]


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ((None, None), "done"),
        ((None, "engine_error"), "partial"),
        (("engine_error", "too_large"), "failed"),
    ],
)
def test_the_state_says_how_much_was_read(ledger: Ledger, codes: tuple[str | None, ...], state: str) -> None:
    opened(ledger, 2)
    read(ledger, *codes)
    assert assembled(ledger) == state
    job = ledger.job(JOB)
    assert job.ok + job.failed + job.cancelled == job.pages == 2


def test_the_same_id_is_the_same_job(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger)
    before = dump(redis)
    again = ledger.create(JOB, SOURCE, Options())
    other = ledger.create(JOB, SOURCE, Options(dpi=300))
    assert (again.reply["created"], again.reply["same"]) == (False, True)
    assert (other.reply["created"], other.reply["same"]) == (False, False)
    assert again.messages == other.messages == []
    assert dump(redis) == before


def test_a_ticket_counts_once_however_often_it_is_delivered(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 3, lanes=2)
    claim = turn(ledger, "t1")
    before = dump(redis)
    assert ledger.claim(JOB, 0, 0, "t2") is None, "the lane holds a live claim"
    assert dump(redis) == before
    ledger.finish(claim, {1: None})
    before = dump(redis)
    assert ledger.claim(JOB, 0, 0, "t3") is None, "the serial is old"
    assert ledger.claim(JOB, 7, 0, "t4") is None, "there is no such lane"
    ledger.finish(claim, {1: BROKEN})
    assert dump(redis) == before, "it has been counted"


def test_a_document_is_opened_by_one_and_assembled_by_one(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    assert ledger.begin(JOB, "document", "d1")
    assert ledger.begin(JOB, "document", "d2") is None
    assert ledger.begin(JOB, "assemble", "a0", 1) is None
    ledger.open(JOB, "d1", 1, 1, {"total": 1, "queue": "q"})
    assert ledger.begin(JOB, "document", "d3") is None
    assert ledger.begin(JOB, "assemble", "a1", 1) is None, "a page is open"
    read(ledger, None)
    assert ledger.begin(JOB, "assemble", "a2", 0) is None, "an old round"
    assert ledger.begin(JOB, "assemble", "a3", 1)
    assert ledger.begin(JOB, "assemble", "a4", 1) is None


def test_no_step_but_create_makes_a_job(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 1)
    claim = turn(ledger, "t1")
    redis.flushall()
    assert ledger.begin(JOB, "document", "t") is None
    assert ledger.begin(JOB, "assemble", "t", 1) is None
    assert ledger.claim(JOB, 0, 0, "t") is None
    steps = [
        ledger.open(JOB, "t", 3, 1, {"total": 3}),
        ledger.refuse(JOB, "t", BROKEN),
        ledger.end(JOB, 1, "t"),
        ledger.finish(claim, {1: None}),
        ledger.return_claim(JOB, "t1", Return.RELEASE),
        ledger.return_claim(JOB, "t1", Return.LOST),
        ledger.return_claim(JOB, "t1", Return.EXPIRED),
        mend(ledger, 2, **IDLE),
    ]
    assert not any(step.done or step.messages for step in steps)
    ledger.renew([(JOB, "t1")])
    ledger.confirm_end(JOB, 1)
    for outside in (ledger.cancel, lambda job: ledger.retry(job, 1), ledger.drop, ledger.job):
        with pytest.raises(UnknownJob, match=JOB):
            outside(JOB)
    assert redis.keys() == []


# -- cancelling ------------------------------------------------------------------------------------------------------
def test_a_queued_job_that_is_cancelled_is_opened_and_reads_nothing(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    step = ledger.cancel(JOB)
    assert (step.reply["cancelled"], sent(step)) == (True, [("document",)])
    assert ledger.job(JOB).cancelling
    ledger.begin(JOB, "document", "d")
    assert sent(ledger.open(JOB, "d", 3, 2, {"total": 3, "queue": "q"})) == [("assemble", 1)]
    assert (states(ledger), ledger.backlog()) == (["cancelled"] * 3, 0)
    assert assembled(ledger) == "cancelled"


def test_open_pages_never_start_and_a_page_in_flight_counts_as_ok(ledger: Ledger) -> None:
    opened(ledger, 5, lanes=2)
    read(ledger, None)
    claim = turn(ledger, "t1")
    lost = turn(ledger, "t2", lane=1)
    assert ledger.cancel(JOB).reply["cancelled"]
    assert states(ledger) == ["ok", "claimed", "claimed", "cancelled", "cancelled"]
    assert sent(ledger.return_claim(JOB, lost.token, Return.LOST)) == []
    assert sent(ledger.finish(claim, {2: None})) == [("assemble", 1)], "the last claim to end ends the job"
    assert states(ledger) == ["ok", "ok", "cancelled", "cancelled", "cancelled"]
    assert assembled(ledger) == "cancelled"
    job = ledger.job(JOB)
    assert (job.ok, job.cancelled) == (2, 3)


def test_pages_that_wait_for_another_try_are_cancelled_too(ledger: Ledger) -> None:
    opened(ledger, 3)
    turn(ledger, "t1", batch=2)
    ledger.return_claim(JOB, "t1", Return.LOST)
    assert sent(ledger.cancel(JOB)) == [("assemble", 1)]
    assert (states(ledger), ledger.backlog()) == (["cancelled"] * 3, 0)
    assert assembled(ledger) == "cancelled"


def test_after_the_last_page_a_cancel_has_no_effect(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 1)
    read(ledger, None)
    before = dump(redis)
    assert not ledger.cancel(JOB).reply["cancelled"]
    assert dump(redis) == before
    assert assembled(ledger) == "done"
    assert not ledger.cancel(JOB).reply["cancelled"]
    assert ledger.job(JOB).state == "done"


def test_a_cancel_that_finds_every_page_in_flight_stops_nothing_that_still_ends(ledger: Ledger) -> None:
    opened(ledger, 1)
    claim = turn(ledger, "t1")
    assert ledger.cancel(JOB).reply["cancelled"]
    ledger.finish(claim, {1: None})
    assert assembled(ledger) == "done"


# -- another round ---------------------------------------------------------------------------------------------------
def test_a_retry_opens_failed_and_cancelled_pages_and_no_other(ledger: Ledger) -> None:
    opened(ledger, 5, lanes=2)
    read(ledger, None, "engine_error")
    ledger.cancel(JOB)
    assert assembled(ledger) == "cancelled"
    step = retry(ledger)
    assert sent(step) == [("page", 0, 3), ("page", 1, 1)]
    job = ledger.job(JOB)
    assert (job.state, job.round, job.ok, job.failed, job.cancelled, job.cancelling) == ("running", 2, 1, 0, 0, False)
    assert states(ledger) == ["ok", "open", "open", "open", "open"]
    assert (ledger.backlog(), dead(ledger)) == (4, [])
    read(ledger, None, None, None, None)
    assert assembled(ledger) == "done"


def test_what_belongs_to_an_old_round_changes_nothing(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2)
    read(ledger, None, "engine_error")
    assembled(ledger)
    retry(ledger)
    before = dump(redis)
    assert ledger.claim(JOB, 0, 2, "late") is None, "a ticket of the old round"
    assert dump(redis) == before
    read(ledger, None)
    before = dump(redis)
    assert ledger.begin(JOB, "assemble", "late", 1) is None
    assert dump(redis) == before
    assert ledger.begin(JOB, "assemble", "assembler", 2)
    before = dump(redis)
    assert not ledger.end(JOB, 1, "assembler").done
    assert dump(redis) == before
    assert ledger.end(JOB, 2, "assembler").reply["state"] == "done"


def test_a_retry_forgets_what_was_lost_before(ledger: Ledger) -> None:
    opened(ledger, 1)
    for i in range(3):
        turn(ledger, f"t{i}")
        ledger.return_claim(JOB, f"t{i}", Return.LOST)
    assert assembled(ledger) == "failed"
    retry(ledger)
    assert turn(ledger, "t9").pages[0].attempts == 0


def test_a_document_that_could_not_be_opened_is_opened_anew(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    ledger.begin(JOB, "document", "t")
    ledger.refuse(JOB, "t", PageError("storage_error", "the spool is full"))
    assert dead(ledger) == [(JOB, 0)]
    assert sent(retry(ledger)) == [("document",)]
    job = ledger.job(JOB)
    assert (job.state, job.round, job.code, job.ended) == ("queued", 2, None, None)
    assert (dead(ledger), ledger.backlog()) == ([], 10)
    later(ledger, 20)
    assert sent(mend(ledger, 1, **IDLE)) == [("document",)]


def test_a_job_that_was_cancelled_before_it_was_opened_reads_all_pages_after_a_retry(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    ledger.cancel(JOB)
    ledger.begin(JOB, "document", "d")
    ledger.open(JOB, "d", 3, 2, {"total": 3, "queue": "q"})
    assembled(ledger)
    assert sent(retry(ledger)) == [("page", 0, 0), ("page", 1, 0)]
    read(ledger, None, None, None)
    assert assembled(ledger) == "done"


@pytest.mark.parametrize("when", ["queued", "running", "done"])
def test_a_retry_needs_something_to_try_again(ledger: Ledger, redis: "redis_py.Redis", when: str) -> None:
    ledger.create(JOB, SOURCE, Options())
    if when != "queued":
        opened(ledger, 1)
    if when == "done":
        read(ledger, None)
        assembled(ledger)
    before = dump(redis)
    with pytest.raises(WrongState, match=when):
        retry(ledger)
    assert dump(redis) == before


# -- the end ---------------------------------------------------------------------------------------------------------
def test_a_page_counted_as_read_whose_file_is_gone_fails(ledger: Ledger) -> None:
    opened(ledger, 3)
    read(ledger, None, None, "engine_error")
    assert assembled(ledger, missing=(2, 3, 2)) == "partial"
    assert [(p.state, p.code) for p in ledger.pages(ledger.job(JOB))] == [
        ("ok", None),
        ("failed", "storage_error"),
        ("failed", "engine_error"),
    ]
    assert ledger.job(JOB).finished == 3
    retry(ledger)
    assert states(ledger) == ["ok", "open", "open"]


def test_a_page_that_was_never_read_has_no_file_to_miss(ledger: Ledger) -> None:
    opened(ledger, 3)
    read(ledger, None)
    ledger.cancel(JOB)
    assert assembled(ledger, missing=(3,)) == "cancelled"
    assert (ledger.job(JOB).ok, ledger.job(JOB).cancelled) == (1, 2)


def test_the_end_is_unpublished_until_it_is_confirmed(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 1)
    read(ledger, "engine_error")
    assert redis.zrange(names.UNPUBLISHED, 0, -1) == []
    assembled(ledger)
    assert redis.zrange(names.UNPUBLISHED, 0, -1) == [JOB]
    ledger.confirm_end(JOB, ledger.job(JOB).round)
    assert redis.zrange(names.UNPUBLISHED, 0, -1) == []
    retry(ledger)
    read(ledger, None)
    assembled(ledger)
    assert redis.zrange(names.UNPUBLISHED, 0, -1) == [JOB], "each round has an end of its own"


@pytest.mark.parametrize("when", ["queued", "running"])
def test_drop_is_refused_until_a_job_has_ended(ledger: Ledger, redis: "redis_py.Redis", when: str) -> None:
    ledger.create(JOB, SOURCE, Options())
    if when == "running":
        opened(ledger, 1)
    before = dump(redis)
    with pytest.raises(WrongState, match=f"{when}: cancel it first"):
        ledger.drop(JOB)
    assert dump(redis) == before


def test_drop_of_a_job_that_is_being_cancelled_says_so(ledger: Ledger) -> None:
    opened(ledger, 1)
    turn(ledger, "t1")
    ledger.cancel(JOB)
    with pytest.raises(WrongState, match="is being cancelled: drop it once it has ended"):
        ledger.drop(JOB)


def test_nothing_of_a_dropped_job_remains(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 4)
    read(ledger, None, "engine_error", "too_large")
    turn(ledger, "t1")
    ledger.return_claim(JOB, "t1", Return.LOST)
    ledger.cancel(JOB)
    assembled(ledger, missing=(1,))
    ledger.drop(JOB)
    assert set(redis.keys()) == {names.BACKLOG, names.COUNTS, names.FIGURES, names.MINUTES, names.TAKEN}
    assert {count for field, count in redis.hgetall(names.COUNTS).items() if field != "whole"} == {"0"}
    assert (ledger.backlog(), ledger.jobs(), dead(ledger)) == (0, [], [])


def test_the_record_has_the_mean_quality_and_counts_poorly_read_pages(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 70)
    known = {1: 0.4, 2: 0.96, 3: None, 4: 0.7, 66: 0.69}
    claim = turn(ledger, "t", batch=70)
    ledger.finish(claim, {page.number: Measured(1.0, 0.9, known.get(page.number)) for page in claim.pages})
    job = ledger.job(JOB)
    assert (job.quality, job.poorly_read) == (0.69, 2)
    finished = FinishedPages(redis, JOB).read(job)
    for pages in (list(ledger.pages(job)), finished):
        assert {page.number: page.quality for page in pages} == {n: known.get(n) for n in range(1, 71)}
    assert [page and page.quality for page in map(partial(ledger.page, job), known)] == list(known.values())


def test_the_quality_of_a_cached_page_counts_and_that_of_a_lost_one_does_not(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    ledger.begin(JOB, "document", "opener")
    ledger.open(JOB, "opener", 2, 1, {"total": 2, "queue": "q", "engine": "e"}, {1: 0.5, 2: None})
    job = ledger.job(JOB)
    assert (job.quality, job.poorly_read) == (0.5, 1)
    ledger.begin(JOB, "assemble", "a", 1)
    ledger.end(JOB, 1, "a", [1])
    job = ledger.job(JOB)
    assert (job.quality, job.poorly_read) == (None, 0)
