"""What webhooks send: signatures, events, pages and rounds; how calls are listed, repeated and removed."""

import json
from collections.abc import Iterator

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import PageError, UnknownDelivery
from ocrqueue.ledger import Ledger, Submitter, Webhook
from ocrqueue.ledger.deliveries import Deliveries
from ocrqueue.options import Options
from ocrqueue.states import DeliveryState
from ocrqueue.steps.end import summarise
from ocrqueue.webhooks.settings import WebhookSettings
from tests.support.ledger_steps import JOB, SOURCE, assembled, later, read, retry, turn
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import ALL, DEFAULT, ENDS, SECRET, allowed, ended, jobs, only, publish, send, submitted


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


# -- what is sent ----------------------------------------------------------------------------------------------------
def test_the_end_of_a_job_is_signed_and_has_no_text(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url)
    assert send(ledger) == 1
    (call,) = receiver.calls
    assert call.path == "/hook"
    assert call.headers["content-type"] == "application/json"
    body = call.verified(SECRET)
    assert body.keys() == {"type", "timestamp", "data"}
    assert (body["type"], body["timestamp"]) == ("job.partial", "2023-11-14T22:13:20.000+00:00")
    assert body["data"] == {
        "job": JOB, "name": "scan.pdf", "state": "partial", "round": 1, "pages": 3, "seconds": 0.0, "error": None,
        "counts": {"ok": 2, "failed": 1, "cancelled": 0}, "quality": None, "poorly_read": 0,
    }  # fmt: skip
    delivery = only(ledger)
    assert (delivery.id, delivery.state, delivery.tries) == (call.id, "delivered", 1)
    assert (delivery.status, delivery.error, delivery.next) == (204, None, None)
    assert send(ledger) == 0
    assert "." not in call.id, "Standard Webhooks forbids it in an id"


def test_without_a_secret_of_its_own_a_job_gets_the_default(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url, secret=None)
    send(ledger)
    assert receiver.calls[0].verified(DEFAULT)


def test_while_a_secret_is_changed_both_verify(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url, secret=f"{SECRET} {DEFAULT}")
    send(ledger)
    assert receiver.calls[0].verified(SECRET) == receiver.calls[0].verified(DEFAULT)


def test_nothing_is_sent_unsigned(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url, secret=None)
    send(ledger, secret=None)
    assert receiver.calls == []
    assert (only(ledger).state, "OCR_WEBHOOK_SECRET" in str(only(ledger).error)) == ("failed", True)


def test_each_page_is_sent_once_with_its_number(ledger: Ledger, receiver: Receiver) -> None:
    submitted(ledger, receiver.url, ALL, pages="2,5-6")
    read(ledger, None, "engine_error")
    send(ledger)
    read(ledger, None)
    assembled(ledger)
    publish(ledger)
    send(ledger)
    pages = [call.data for call in receiver.calls if call.event == "page.finished"]
    assert [(p["page"], p["state"], p["error"]) for p in sorted(pages, key=lambda p: p["page"])] == [
        (2, "ok", None),
        (5, "failed", {"code": "engine_error", "message": "it is so"}),
        (6, "ok", None),
    ]
    assert all((p["job"], p["name"], p["pages"]) == (JOB, "scan.pdf", 3) for p in pages)
    assert sorted(sum(p["counts"].values()) for p in pages) == [1, 2, 3]
    assert sorted(receiver.events) == ["job.partial", *["page.finished"] * 3]
    assert len({call.id for call in receiver.calls}) == 4


def test_pages_of_the_cache_and_lost_pages_are_sent_too(ledger: Ledger, receiver: Receiver) -> None:
    submitted(ledger, receiver.url, ALL, cached=(1, 3))
    claim = turn(ledger, "reader")
    ledger.return_claim(JOB, claim.token, "timeout")  # type: ignore[arg-type]
    send(ledger)
    assert sorted((call.data["page"], call.data["state"]) for call in receiver.calls) == [
        (1, "ok"),
        (2, "failed"),
        (3, "ok"),
    ]


def test_a_page_whose_text_is_lost_is_not_sent_again(ledger: Ledger, receiver: Receiver) -> None:
    submitted(ledger, receiver.url, ALL)
    read(ledger, None, None, None)
    send(ledger)
    assembled(ledger, missing=(2,))
    publish(ledger)
    send(ledger)
    assert sorted(receiver.events) == ["job.partial", *["page.finished"] * 3]


def test_only_the_events_that_were_asked_for_are_sent(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url, events=("job.failed",))
    send(ledger)
    assert receiver.calls == []
    assert list(Deliveries(ledger).newest_first()) == []
    retry(ledger)
    read(ledger, "engine_error")
    publish_round_two(ledger)
    send(ledger)
    assert receiver.events == [], "the second round is partial too"


def publish_round_two(ledger: Ledger) -> None:
    assembled(ledger)
    publish(ledger)


def test_each_round_is_sent(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url)
    send(ledger)
    retry(ledger)
    read(ledger, None)
    publish_round_two(ledger)
    publish(ledger)
    send(ledger)
    assert [(call.event, call.data["round"]) for call in receiver.calls] == [("job.partial", 1), ("job.done", 2)]
    assert len({call.id for call in receiver.calls}) == 2


@pytest.mark.parametrize("how", ["refused", "cancelled"])
def test_a_job_that_reads_nothing_is_sent(ledger: Ledger, receiver: Receiver, how: str) -> None:
    ledger.create(JOB, SOURCE, Options(), 1, Submitter(None, Webhook(receiver.url, ENDS, SECRET)))
    ledger.begin(JOB, "document", "opener")
    if how == "refused":
        ledger.refuse(JOB, "opener", PageError("corrupt_file", "it is broken"))
    else:
        ledger.cancel(JOB)
        ledger.open(JOB, "opener", 2, 1, {"total": 2, "queue": "q"})
        assembled(ledger)
    publish(ledger)
    send(ledger)
    (call,) = receiver.calls
    assert call.event == {"refused": "job.failed", "cancelled": "job.cancelled"}[how]
    assert call.data["error"] == ({"code": "corrupt_file", "message": "it is broken"} if how == "refused" else None)


# -- listing, repeating, removing ------------------------------------------------------------------------------------
def test_a_delivery_can_be_repeated(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url)
    send(ledger)
    deliveries = Deliveries(ledger)
    assert [m.kind for m in deliveries.repeat(only(ledger).id)] == ["deliver"]
    assert (only(ledger).state, only(ledger).tries) == ("pending", 0)
    assert send(ledger) == 1
    assert [call.id for call in receiver.calls] == [only(ledger).id] * 2
    for unknown in (f"{JOB}-7", "nonsense", ""):
        with pytest.raises(UnknownDelivery, match="webhooks list"):
            deliveries.repeat(unknown)


def test_repeating_switches_a_webhook_on_again(ledger: Ledger, receiver: Receiver) -> None:
    receiver.answer = lambda _: 410
    ended(ledger, receiver.url)
    send(ledger)
    receiver.answer = lambda _: 200
    Deliveries(ledger).repeat(only(ledger).id)
    send(ledger)
    assert only(ledger).state == "delivered"


def test_a_delivery_that_is_being_sent_is_not_repeated(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url)
    deliveries = Deliveries(ledger)
    claimed = deliveries.claim(deliveries.due()[0], "token", 30)
    assert claimed is not None
    deliveries.repeat(claimed.delivery.id)
    assert deliveries.due() == []
    assert deliveries.settle(claimed, DeliveryState.DELIVERED, status=200)


def test_deliveries_are_listed_newest_first(ledger: Ledger, receiver: Receiver) -> None:
    for job in jobs(3):
        ended(ledger, receiver.url, job)
        later(ledger, 1)
    deliveries = Deliveries(ledger)
    assert [d.job for d in deliveries.newest_first()] == jobs(3)[::-1]
    second = deliveries.get(f"{jobs(3)[1]}-1")
    assert [d.job for d in deliveries.newest_first((second.created, second.id))] == jobs(1)
    ledger.drop(second.job)
    assert [d.job for d in deliveries.newest_first((second.created, second.id))] == jobs(1), "it is gone meanwhile"
    assert [d.id for d in deliveries.of_job(jobs(3)[2])] == [f"{jobs(3)[2]}-1"]
    with pytest.raises(UnknownDelivery):
        deliveries.get(second.id)


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_the_number_of_stored_deliveries_is_bounded(
    ledger: Ledger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("ocrqueue.ledger.deliveries._CHUNK", chunk)
    ended(ledger, "http://127.0.0.1:1/", "8" * 8 + JOB[8:])  # pending, and the oldest of all
    for job in jobs(6):
        ended(ledger, receiver.url, job)
        later(ledger, 1)
    ended(ledger, "http://127.0.0.1:1/", "9" * 8 + JOB[8:])
    send(ledger)
    deliveries = Deliveries(ledger)
    assert deliveries.trim(4) == 4
    pending = ["9" * 8 + JOB[8:], "8" * 8 + JOB[8:]]
    assert [d.job for d in deliveries.newest_first()] == [pending[0], *jobs(6)[:3:-1], pending[1]]
    assert deliveries.trim(0) == 2
    assert [d.job for d in deliveries.newest_first()] == pending, "what is pending stays"


def test_a_dropped_job_leaves_no_delivery(ledger: Ledger, redis: "redis_py.Redis") -> None:
    ended(ledger, "http://127.0.0.1:1/", events=ALL)
    assert len(Deliveries(ledger).due()) == 4
    ledger.drop(JOB)
    assert [key for key in redis.scan_iter() if JOB in key or "deliver" in key] == []


def test_what_an_older_worker_has_dropped_is_forgotten(ledger: Ledger, redis: "redis_py.Redis") -> None:
    ended(ledger, "http://127.0.0.1:1/")
    redis.delete(names.job_key(JOB))
    assert send(ledger) == 0
    assert not redis.exists(names.DUE, names.DELIVERIES, names.deliveries_key(JOB))


def test_no_secret_is_listed_or_logged(ledger: Ledger, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    receiver.answer = lambda _: 500
    ended(ledger, receiver.url)
    send(ledger)
    record = ledger.job(JOB)
    shown = f"{caplog.text} {record!r} {json.dumps(only(ledger).to_json())} {summarise(record, ledger)}"
    assert "status=500" in caplog.text
    assert SECRET not in shown
    assert DEFAULT not in f"{shown} {WebhookSettings(allowed(), DEFAULT, 5)!r}"
