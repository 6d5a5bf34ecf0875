"""What becomes of claims that are lost, late, given back or of the wrong kind, and of the messages of failures."""

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import PageError
from ocrqueue.ledger import Claim, LastTry, Ledger, Source
from ocrqueue.options import Options
from ocrqueue.states import MessageKind, Return
from tests.support.ledger_steps import (
    BROKEN,
    JOB,
    SOURCE,
    assembled,
    dead,
    dump,
    later,
    opened,
    read,
    retry,
    sent,
    states,
    turn,
)


def test_a_page_that_lost_three_claims_is_given_up_and_the_rest_goes_on(ledger: Ledger) -> None:
    opened(ledger, 2)
    for lost in range(3):
        claim = turn(ledger, f"t{lost}")
        assert [(p.number, p.attempts) for p in claim.pages] == [(1, lost)]
        step = ledger.return_claim(JOB, claim.token, Return.LOST)
        assert sent(step) == [("page", 0, lost + 1)]
    page, other = ledger.pages(ledger.job(JOB))
    assert (page.state, page.code, page.attempts) == ("failed", "worker_lost", 3)
    assert other.state == "open"
    assert dead(ledger) == [(JOB, 1)]
    read(ledger, None)
    assert assembled(ledger) == "partial"


def test_a_last_try_is_given_only_to_who_does_nothing_else(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 3)
    for lost in range(2):
        assert ledger.claim(JOB, 0, lost, f"t{lost}", alone=False)
        ledger.return_claim(JOB, f"t{lost}", Return.LOST)
    before = dump(redis)
    with pytest.raises(LastTry):
        ledger.claim(JOB, 0, 2, "others", alone=False)
    assert dump(redis) == before
    claim = ledger.claim(JOB, 0, 2, "itself", alone=True)
    assert claim
    assert [(p.number, p.attempts) for p in claim.pages] == [(1, 2)]
    ledger.finish(claim, {1: None})
    assert ledger.claim(JOB, 0, 3, "next", alone=False)


@pytest.mark.parametrize("what", ["document", "assemble"])
def test_so_is_the_last_try_at_a_document_or_an_assembly(ledger: Ledger, what: str) -> None:
    if what == "document":
        ledger.create(JOB, SOURCE, Options())
    else:
        opened(ledger, 1)
        read(ledger, None)
    for lost in range(2):
        assert ledger.begin(JOB, what, f"t{lost}", 1, alone=False)
        ledger.return_claim(JOB, f"t{lost}", Return.LOST)
    with pytest.raises(LastTry):
        ledger.begin(JOB, what, "others", 1, alone=False)
    assert ledger.begin(JOB, what, "itself", 1, alone=True)


def test_a_page_that_lost_a_claim_is_claimed_alone(ledger: Ledger) -> None:
    opened(ledger, 6)
    claim = turn(ledger, "t1", batch=3)
    assert [p.number for p in claim.pages] == [1, 2, 3]
    ledger.return_claim(JOB, "t1", Return.LOST)
    for number in (1, 2, 3):
        claim = turn(ledger, f"t1{number}", batch=3)
        assert [(p.number, p.attempts) for p in claim.pages] == [(number, 1)]
        ledger.finish(claim, {number: None})
    assert [p.number for p in turn(ledger, "t2", batch=3).pages] == [4, 5, 6]


def test_a_lease_runs_out_only_where_nobody_renews_it(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 2, lanes=2)
    turn(ledger, "kept", lane=0)
    turn(ledger, "forgotten", lane=1)
    later(ledger, 30)
    ledger.renew([(JOB, "kept"), (JOB, "unheard of"), ("no job", "t")])
    assert set(redis.zrange(names.CLAIMS, 0, -1)) == {f"{JOB} kept", f"{JOB} forgotten"}
    later(ledger, 20)
    before = dump(redis)
    assert not ledger.return_claim(JOB, "kept", Return.EXPIRED).done
    assert dump(redis) == before
    assert ledger.return_claim(JOB, "forgotten", Return.EXPIRED).done
    assert [(p.state, p.attempts) for p in ledger.pages(ledger.job(JOB))] == [("claimed", 0), ("open", 1)]


def test_who_asks_again_after_a_cut_has_the_same_claim(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 5, lanes=2)
    assert ledger.claim(JOB, 0, 0, "reader", 2)
    ledger.return_claim(JOB, "reader", Return.LOST)
    claim = ledger.claim(JOB, 0, 1, "again", 2)
    before = dump(redis)
    assert ledger.claim(JOB, 0, 1, "again", 2) == claim
    assert claim
    assert [(p.number, p.attempts) for p in claim.pages] == [(1, 1)]
    assert dump(redis) == before
    assert ledger.claim(JOB, 0, 1, "other", 2) is None
    ledger.finish(claim, {1: None})
    assert ledger.claim(JOB, 0, 1, "again", 2) is None


@pytest.mark.parametrize("what", ["document", "assemble"])
def test_who_begins_again_after_a_cut_has_the_same_claim(ledger: Ledger, what: str) -> None:
    if what == "document":
        ledger.create(JOB, SOURCE, Options())
    else:
        opened(ledger, 1)
        read(ledger, None)
    assert ledger.begin(JOB, what, "one", 1)
    assert ledger.begin(JOB, what, "one", 1)
    assert not ledger.begin(JOB, what, "two", 1)


def test_who_finishes_again_after_a_cut_has_the_same_answer(ledger: Ledger, redis: "redis_py.Redis") -> None:
    opened(ledger, 3, lanes=2)
    claims = [turn(ledger, "t1"), turn(ledger, "t2", lane=1)]
    for claim, page, messages in ((claims[0], 1, [("page", 0, 1)]), (claims[1], 2, [("page", 1, 1)])):
        first = ledger.finish(claim, {page: None})
        before = dump(redis)
        again = ledger.finish(claim, {page: None})
        assert again == first
        assert sent(again) == messages
        assert dump(redis) == before
    assert not ledger.return_claim(JOB, "t1", Return.LOST).done, "its result has been counted"
    last = turn(ledger, "t3")
    assert sent(ledger.finish(claims[0], {1: None})) == [], "its lane's ticket has been taken"
    assert ledger.finish(last, {3: None}) == ledger.finish(last, {3: None})
    assert sent(ledger.finish(last, {3: None})) == [("assemble", 1)]


def test_who_opens_again_after_a_cut_has_the_same_answer(ledger: Ledger, redis: "redis_py.Redis") -> None:
    first = opened(ledger, 3, lanes=2)
    before = dump(redis)
    again = ledger.open(JOB, "opener", 3, 2, {"total": 3})
    assert (again.done, sent(again)) == (True, sent(first)) == (True, [("page", 0, 0), ("page", 1, 0)])
    assert dump(redis) == before
    assert not ledger.open(JOB, "other", 3, 2, {"total": 3}).done


@pytest.mark.parametrize("reason", [Return.LOST, Return.RELEASE])
def test_who_returns_a_claim_again_after_a_cut_has_the_same_answer(ledger: Ledger, reason: Return) -> None:
    opened(ledger, 2)
    claim = turn(ledger, "t1")
    first, again = (ledger.return_claim(JOB, "t1", reason) for _ in range(2))
    assert (again.done, sent(again)) == (True, sent(first)) == (True, [("page", 0, 1)])
    assert next(ledger.pages(ledger.job(JOB))).attempts == (reason == Return.LOST)
    assert not ledger.finish(claim, {1: None}).done, "what was read meanwhile does not count"


def test_who_ends_or_refuses_or_retries_again_after_a_cut_has_the_same_answer(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    ledger.begin(JOB, MessageKind.DOCUMENT, "d")
    for _ in range(2):
        assert sent(ledger.refuse(JOB, "d", BROKEN)) == [("ended",)]
    for _ in range(2):
        assert sent(ledger.retry(JOB, 1)) == [("document",)]
    opened(ledger, 2)
    read(ledger, None, "engine_error")
    ledger.begin(JOB, MessageKind.ASSEMBLE, "a", 2)
    first, again = (ledger.end(JOB, 2, "a") for _ in range(2))
    assert first == again
    assert (sent(again), again.reply["state"]) == ([("ended",)], "partial")
    first, again = (ledger.retry(JOB, 2) for _ in range(2))
    assert sent(first) == sent(again) == [("page", 0, 3)]
    assert ledger.job(JOB).round == 3
    assert not ledger.end(JOB, 2, "a").done, "it is an old round"


def test_a_page_over_its_time_limit_fails_at_once(ledger: Ledger) -> None:
    opened(ledger, 2)
    turn(ledger, "t1")
    ledger.return_claim(JOB, "t1", Return.TIMEOUT)
    page = next(ledger.pages(ledger.job(JOB)))
    assert (page.state, page.code, page.attempts) == ("failed", "timeout", 0)
    assert dead(ledger) == [(JOB, 1)]


def test_the_pages_of_a_batch_over_its_time_limit_are_claimed_alone(ledger: Ledger) -> None:
    opened(ledger, 3)
    turn(ledger, "t1", batch=2)
    ledger.return_claim(JOB, "t1", Return.TIMEOUT)
    assert [(p.state, p.attempts) for p in ledger.pages(ledger.job(JOB))] == [("open", 0)] * 3
    claim = turn(ledger, "t2", batch=2)
    assert [p.number for p in claim.pages] == [1]
    ledger.return_claim(JOB, "t2", Return.RELEASE)
    claim = turn(ledger, "t3", batch=2)
    assert [p.number for p in claim.pages] == [1], "given back, it still is to be claimed alone"
    ledger.return_claim(JOB, "t3", Return.TIMEOUT)
    assert states(ledger) == ["failed", "open", "open"]


def test_a_release_is_not_counted(ledger: Ledger) -> None:
    opened(ledger, 4)
    for i in range(5):
        assert [(p.number, p.attempts) for p in turn(ledger, f"t{i}", batch=3).pages] == [(1, 0), (2, 0), (3, 0)]
        assert sent(ledger.return_claim(JOB, f"t{i}", Return.RELEASE)) == [("page", 0, i + 1)]
    assert states(ledger) == ["open"] * 4


def test_a_page_of_a_batch_without_a_result_goes_back_and_is_claimed_alone(ledger: Ledger) -> None:
    opened(ledger, 4)
    ledger.finish(turn(ledger, "t1", batch=3), {1: None, 3: BROKEN})
    assert states(ledger) == ["ok", "open", "failed", "open"]
    assert [p.number for p in turn(ledger, "t2", batch=3).pages] == [2]


def test_a_document_that_kills_whoever_opens_it_ends_as_worker_lost(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    for expected in (["document"], ["document"], ["ended"]):
        assert ledger.begin(JOB, "document", "t")
        assert [m.kind for m in ledger.return_claim(JOB, "t", Return.LOST).messages] == expected
    job = ledger.job(JOB)
    assert (job.state, job.code, job.pages) == ("failed", "worker_lost", None)
    assert (dead(ledger), ledger.backlog()) == ([(JOB, 0)], 0)


def test_an_assembly_that_kills_whoever_does_it_ends_as_worker_lost(ledger: Ledger) -> None:
    opened(ledger, 1)
    read(ledger, None)
    for expected in (["assemble"], ["assemble"], ["ended"]):
        assert ledger.begin(JOB, "assemble", "t", 1)
        assert [m.kind for m in ledger.return_claim(JOB, "t", Return.LOST).messages] == expected
    assert (ledger.job(JOB).state, ledger.job(JOB).code) == ("failed", "worker_lost")
    assert sent(retry(ledger)) == [("assemble", 2)], "its pages were read: only the assembly is done again"
    assert assembled(ledger) == "done"
    assert dead(ledger) == []


def test_a_document_that_takes_too_long_fails_at_once(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    ledger.begin(JOB, "document", "t")
    assert sent(ledger.return_claim(JOB, "t", Return.TIMEOUT)) == [("ended",)]
    assert (ledger.job(JOB).state, ledger.job(JOB).code) == ("failed", "timeout")


def test_a_released_document_is_not_counted(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    for _ in range(5):
        assert ledger.begin(JOB, "document", "t")
        assert sent(ledger.return_claim(JOB, "t", Return.RELEASE)) == [("document",)]
    assert ledger.job(JOB).state == "queued"


def test_a_document_that_cannot_be_opened_fails_the_job(ledger: Ledger) -> None:
    ledger.create(JOB, SOURCE, Options())
    ledger.begin(JOB, "document", "t")
    assert sent(ledger.refuse(JOB, "t", PageError("corrupt_file", "this is no PDF"))) == [("ended",)]
    job = ledger.job(JOB)
    assert (job.state, job.code, job.message) == ("failed", "corrupt_file", "this is no PDF")
    assert (dead(ledger), list(ledger.pages(job))) == ([], [])


@pytest.mark.parametrize("kind", ["open", "refuse", "end", "finish"])
def test_a_step_takes_no_claim_of_another_kind(ledger: Ledger, redis: "redis_py.Redis", kind: str) -> None:
    opened(ledger, 2)
    claim = turn(ledger, "page")
    ledger.create("other", SOURCE, Options())
    other = ledger.begin("other", "document", "document")
    assert other
    before = dump(redis)
    step = {
        "open": lambda: ledger.open(JOB, "page", 2, 1, {"total": 2}),
        "refuse": lambda: ledger.refuse(JOB, "page", BROKEN),
        "end": lambda: ledger.end(JOB, 1, "page"),
        "finish": lambda: ledger.finish(Claim(other, "document", claim.pages), {1: None}),
    }[kind]()
    assert not step.done
    assert dump(redis) == before


@pytest.mark.parametrize("message", ["ä" * 400, "€" * 400, "a" + "𝄞" * 400, "caf\udce9.pdf \udc80", "", "two\nlines\0"])
def test_any_message_can_be_stored_and_read_again(ledger: Ledger, message: str) -> None:
    opened(ledger, 1)
    ledger.finish(turn(ledger, "t"), {1: PageError("engine_error", message)})
    (page,) = ledger.pages(ledger.job(JOB))
    assert page.state == "failed"
    assert page.message is not None
    assert message.encode("utf-8", "replace").decode().startswith(page.message)
    assert len(page.message.encode()) > 296 or len(message) < 300
    ledger.create("other", Source(f"{message}.pdf"), Options())
    ledger.begin("other", "document", "t")
    ledger.refuse("other", "t", PageError("corrupt_file", message))
    assert ledger.job("other").code == "corrupt_file"
