"""Poorly read pages wait in the ledger for another engine, and keep their first reading if it does not come."""

from dataclasses import replace

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import PageError
from ocrqueue.ledger import Ledger, Measured, Other, TooLate
from ocrqueue.states import JobState, Return
from tests.support.ledger_steps import (
    BROKEN,
    BUSY,
    IDLE,
    JOB,
    START,
    assembled,
    dead,
    later,
    mend,
    opened,
    retry,
    sent,
    states,
    turn,
)

OTHER = Other("pages.tesseract", "tesseract", "tesseract-5", "7", "digest", share=1.0, seconds=600)
POOR, GOOD = Measured(1.0, 0.6, 0.3), Measured(1.0, 0.99, 0.97)


def read_once(ledger: Ledger, *found: Measured, other: Other = OTHER) -> None:
    """Every page is read by the first engine."""
    opened(ledger, len(found))
    for i, one in enumerate(found):
        claim = turn(ledger, f"first{i}")
        step = ledger.finish(claim, {claim.pages[0].number: one}, other=other)
    assert step.done


def counts(ledger: Ledger) -> tuple[int, int, int, int]:
    job = ledger.job(JOB)
    return job.ok, job.failed, job.cancelled, job.poorly_read


def test_when_every_page_was_read_once_the_poor_ones_go_to_the_other_engine(ledger: Ledger) -> None:
    opened(ledger, 3)
    for i, found in enumerate((POOR, GOOD)):
        claim = turn(ledger, f"first{i}")
        step = ledger.finish(claim, {claim.pages[0].number: found}, other=OTHER)
        assert step.messages[0].queue == "pages.rapidocr"
    assert counts(ledger) == (1, 0, 0, 1)
    assert states(ledger) == ["open", "ok", "open"]
    claim = turn(ledger, "first2")
    step = ledger.finish(claim, {3: GOOD}, other=OTHER)
    assert [(m.kind, m.queue) for m in step.messages] == [("page", "pages.tesseract")]
    job = ledger.job(JOB)
    assert (job.engine, job.model, job.revision) == ("tesseract", "tesseract-5", "7")
    first = {"queue": "pages.rapidocr", "engine": "rapidocr", "model": "pp-ocrv6-small", "revision": "1"}
    assert job.first == {**first, "reads_as": "digest"}
    claim = turn(ledger, "second")
    assert [page.number for page in claim.pages] == [1]
    assert claim.job.first
    step = ledger.finish(claim, {1: Measured(2.0, 0.9, 0.6)}, other=OTHER)  # never a third time
    assert sent(step) == [("assemble", 1)]
    job = ledger.job(JOB)
    assert (job.engine, job.queue, job.first) == ("rapidocr", "pages.rapidocr", None)
    assert assembled(ledger) == JobState.DONE
    assert counts(ledger) == (3, 0, 0, 1)


def test_old_tickets_of_the_first_engine_are_worth_nothing(ledger: Ledger) -> None:
    opened(ledger, 2, lanes=2)
    first, second = turn(ledger, "a", 0), turn(ledger, "b", 1)
    ledger.finish(first, {1: POOR}, other=OTHER)
    step = ledger.finish(second, {2: POOR}, other=OTHER)
    assert [m.queue for m in step.messages] == ["pages.tesseract"] * 2
    assert ledger.claim(JOB, 0, 0, "late") is None
    assert ledger.claim(JOB, 1, 0, "late") is None
    assert turn(ledger, "c", 1).pages[0].number == 1


@pytest.mark.parametrize(("share", "again"), [(1.0, 4), (0.5, 2), (0.1, 1), (0.26, 1), (0.74, 2), (0.75, 3)])
def test_a_share_of_the_pages_is_read_again_at_most(ledger: Ledger, share: float, again: int) -> None:
    cached = replace(POOR, seconds=None, confidence=None)
    read_once(ledger, POOR, cached, POOR, cached, other=Other("q", "e", "m", "r", "d", share, 600))
    assert states(ledger).count("open") == again
    assert ledger.job(JOB).ok == 4 - again


QUALITIES = (0.52, 0.95, 0.61, 0.29, 0.79, 0.52)


def second_readings(ledger: Ledger) -> list[int]:
    """The pages that the second engine is given, in this order; it reads them no better."""
    found = []
    while ledger.job(JOB).first:
        claim = turn(ledger, f"second{len(found)}")
        found.append(claim.pages[0].number)
        ledger.finish(claim, {found[-1]: POOR})
    return found


@pytest.mark.parametrize(
    ("share", "again"), [(0.34, [4, 1]), (0.5, [4, 1, 6]), (0.1, [4]), (0.99, [4, 1, 6, 3, 5]), (1, [4, 1, 6, 3, 5])]
)
def test_the_pages_with_the_lowest_quality_are_read_again_and_first(
    ledger: Ledger, share: float, again: list[int]
) -> None:
    found = [replace(POOR, quality=quality) for quality in QUALITIES]
    read_once(ledger, *found, other=replace(OTHER, share=share))
    job = ledger.job(JOB)
    assert (job.engine, job.ok) == ("tesseract", 6 - len(again))
    assert second_readings(ledger) == again
    assert assembled(ledger) == JobState.DONE
    assert ledger.backlog() == 0


def test_no_page_ends_before_all_were_read_if_it_may_be_read_again(ledger: Ledger) -> None:
    opened(ledger, 3)
    other = replace(OTHER, share=0.34)
    for i in range(2):
        ledger.finish(turn(ledger, f"t{i}"), {i + 1: replace(POOR, quality=0.6 - i / 10)}, other=other)
        assert counts(ledger)[0] == 0
    ledger.finish(turn(ledger, "t2"), {3: replace(POOR, quality=0.55)}, other=other)
    assert states(ledger) == ["ok", "open", "ok"]


def test_a_claim_takes_the_worst_pages_of_many(ledger: Ledger) -> None:
    """More than a field of qualities has; 0.29 times 200 is a little less than 58 as a float."""
    opened(ledger, 200)
    found = {n: replace(POOR, quality=(n * 7 % 71) / 100) for n in range(1, 201)}
    ledger.finish(turn(ledger, "t", batch=200), found, other=replace(OTHER, share=0.29))
    worst = sorted(found, key=lambda n: (found[n].quality or 0, n))[:58]
    assert states(ledger).count("open") == 58
    first = turn(ledger, "u", batch=10)
    assert [page.number for page in first.pages] == worst[:10]
    ledger.finish(first, dict.fromkeys(worst[:10], GOOD))
    assert [page.number for page in turn(ledger, "v", batch=100).pages] == worst[10:]


def test_pages_whose_quality_the_ledger_does_not_know_are_read_again(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2)
    ledger.finish(turn(ledger, "t"), {1: POOR}, other=OTHER)
    redis.hdel(names.pages_key(JOB), "q0")
    ledger.finish(turn(ledger, "u"), {2: POOR}, other=OTHER)
    assert second_readings(ledger) == [1, 2]
    assert assembled(ledger) == JobState.DONE


@pytest.mark.parametrize("how", ["failed", "lost", "timeout", "cancelled", "cancelled while it is read"])
def test_a_page_whose_second_reading_fails_keeps_the_first(ledger: Ledger, how: str) -> None:
    read_once(ledger, POOR)
    if how == "cancelled":
        assert ledger.cancel(JOB).reply["cancelled"]
    elif how == "lost":
        for i in range(3):
            turn(ledger, f"t{i}")
            ledger.return_claim(JOB, f"t{i}", Return.LOST)
    else:
        claim = turn(ledger, "t")
        if how == "timeout":
            ledger.return_claim(JOB, "t", Return.TIMEOUT)
        else:
            if how != "failed":
                ledger.cancel(JOB)
            ledger.finish(claim, {} if how != "failed" else {1: PageError("engine_error", "it is so")})
    assert counts(ledger) == (1, 0, 0, 1)
    assert dead(ledger) == []
    assert assembled(ledger) == JobState.DONE


def test_pages_that_wait_while_others_are_read_keep_their_reading_when_the_job_is_cancelled(ledger: Ledger) -> None:
    opened(ledger, 3)
    ledger.finish(turn(ledger, "t"), {1: POOR}, other=OTHER)
    claim = turn(ledger, "u")
    ledger.cancel(JOB)
    assert states(ledger) == ["ok", "claimed", "cancelled"]
    ledger.finish(claim, {2: POOR}, other=OTHER)
    assert counts(ledger) == (2, 0, 1, 2)
    assert assembled(ledger) == JobState.CANCELLED
    retry(ledger)
    assert states(ledger) == ["ok", "ok", "open"]
    assert ledger.finish(turn(ledger, "v"), {3: POOR}, other=OTHER).messages[0].queue == "pages.tesseract"


@pytest.mark.parametrize("why", ["nobody serves it", "too late"])
def test_nobody_waits_long_for_the_other_engine(ledger: Ledger, why: str) -> None:
    read_once(ledger, POOR, GOOD)
    lanes = 0 if why == "nobody serves it" else 2
    for seconds, ends in ((1, False), (20, False), (50, True)) if lanes == 0 else ((590, False), (20, True)):
        later(ledger, seconds)
        step = mend(ledger, lanes, unserved=None if lanes else START, **BUSY)
        assert (("assemble", 1) in sent(step)) == ends
    assert counts(ledger) == (2, 0, 0, 1)


@pytest.mark.parametrize("how", ["read", "failed", "left out", "lost", "timeout"])
def test_when_the_time_is_over_a_page_that_is_read_ends_and_no_other_is_begun(ledger: Ledger, how: str) -> None:
    read_once(ledger, POOR, POOR, POOR)
    claim = turn(ledger, "t")
    later(ledger, 600)
    if how in ("lost", "timeout"):
        step = ledger.return_claim(JOB, "t", Return(how))
    else:
        found: dict[int, Measured | PageError] = {1: GOOD} if how == "read" else {1: BROKEN} if how == "failed" else {}
        step = ledger.finish(claim, found)
    assert sent(step) == [("assemble", 1)]
    assert counts(ledger) == (3, 0, 0, 2 if how == "read" else 3)
    assert assembled(ledger) == JobState.DONE
    assert ledger.backlog() == 0


def test_a_page_that_is_ended_in_time_is_followed_by_the_next_one(ledger: Ledger) -> None:
    read_once(ledger, POOR, POOR)
    later(ledger, 599)
    step = ledger.finish(turn(ledger, "t"), {1: GOOD})
    assert [(m.kind, m.queue) for m in step.messages] == [("page", "pages.tesseract")]
    assert turn(ledger, "u").pages[0].number == 2


def test_a_ticket_that_is_taken_when_the_time_is_over_ends_the_job(ledger: Ledger) -> None:
    read_once(ledger, POOR, GOOD, POOR)
    later(ledger, 600)
    for _ in range(2):  # asked again, because the answer was lost
        with pytest.raises(TooLate):
            turn(ledger, "t")
    assert states(ledger) == ["open", "ok", "open"]
    for _ in range(2):
        assert sent(ledger.keep(JOB)) == [("assemble", 1)]
    assert counts(ledger) == (3, 0, 0, 2)
    assert assembled(ledger) == JobState.DONE
    assert sent(ledger.keep(JOB)) == []


def test_a_claim_from_before_is_given_again_when_the_time_is_over(ledger: Ledger) -> None:
    read_once(ledger, POOR, POOR)
    serial = int(str(ledger.redis.hget(names.job_key(JOB), "lane:0")).split(" ")[0])
    claim = ledger.claim(JOB, 0, serial, "t")
    later(ledger, 1000)
    assert ledger.claim(JOB, 0, serial, "t") == claim
    assert sent(ledger.keep(JOB)) == []
    assert states(ledger) == ["claimed", "ok"]


def test_before_the_time_is_over_no_page_is_kept(ledger: Ledger) -> None:
    read_once(ledger, POOR, POOR)
    later(ledger, 599)
    assert sent(ledger.keep(JOB)) == []
    assert states(ledger) == ["open", "open"]
    assert not ledger.keep("no such job").done


def test_without_any_time_no_page_is_read_again(ledger: Ledger) -> None:
    read_once(ledger, POOR, GOOD, other=replace(OTHER, seconds=0))
    assert counts(ledger) == (2, 0, 0, 1)
    assert ledger.job(JOB).engine == "rapidocr"
    assert assembled(ledger) == JobState.DONE


def test_a_lost_ticket_of_the_other_engine_is_sent_again(ledger: Ledger) -> None:
    read_once(ledger, POOR)
    later(ledger, 100)
    step = mend(ledger, 2, **IDLE)
    assert [(m.kind, m.queue) for m in step.messages] == [("page", "pages.tesseract")]


def test_failed_pages_fail_as_always_and_only_they_are_retried(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2)
    ledger.finish(turn(ledger, "t"), {1: POOR}, other=OTHER)
    ledger.finish(turn(ledger, "u"), {2: BROKEN}, other=OTHER)
    ledger.finish(turn(ledger, "v"), {1: GOOD})
    assert counts(ledger) == (1, 1, 0, 0)
    assert assembled(ledger) == JobState.PARTIAL
    retry(ledger)
    assert states(ledger) == ["ok", "open"]
    assert not {"first", "other", "again", "until"} & set(redis.hkeys(names.job_key(JOB)))
