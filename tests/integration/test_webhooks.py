"""Calls of webhooks: what is sent, when it is sent again, and to whom it is never sent."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import PageError, UnknownDelivery
from ocrqueue.fetching.addresses import parse_url
from ocrqueue.ledger import Ledger, Publication, Submitter, Webhook, figures
from ocrqueue.ledger.deliveries import Deliveries, Delivery
from ocrqueue.options import Options
from ocrqueue.states import DeliveryState, WebhookEvent
from ocrqueue.steps.end import publish_end, summarise
from ocrqueue.webhooks.events import end_data, end_event
from ocrqueue.webhooks.sender import SCHEDULE, Sender
from ocrqueue.webhooks.settings import AllowedUrls, WebhookSettings
from tests.support.ledger_steps import JOB, SOURCE, assembled, later, read, retry, turn
from tests.support.receiver import Call, Receiver, receiving

SECRET = "whsec_" + "A" * 32
DEFAULT = "whsec_" + "B" * 32
ENDS = tuple(event for event in WebhookEvent if event.startswith("job."))
ALL = tuple(WebhookEvent)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def allowed(*urls: str, public: bool = True) -> AllowedUrls:
    return AllowedUrls(public, tuple(map(parse_url, urls)))


def sender(ledger: Ledger, *urls: str, seconds: int = 5, secret: str | None = DEFAULT, **how: Any) -> Sender:
    """A sender that may call 127.0.0.1, or these URLs."""
    return Sender(ledger, WebhookSettings(allowed(*urls) if urls else _Everywhere(True, ()), secret, seconds), **how)


class _Everywhere(AllowedUrls):
    """Allows 127.0.0.1 with any port, which is not known when a test begins."""

    def addresses(self, url: Any) -> Any:
        return allowed(f"http://127.0.0.1:{url.port}/").addresses(url)


def send(ledger: Ledger, **how: Any) -> int:
    """Send what is due."""
    return sender(ledger, **how).run(0.4)


def submitted(ledger: Ledger, url: str, events: tuple[str, ...] = ENDS, secret: str | None = SECRET, **of: Any) -> None:
    """A job with a webhook whose three pages are open."""
    job = of.get("job", JOB)
    submitter = Submitter(of.get("owner"), Webhook(url, events, secret))
    ledger.create(job, SOURCE, Options(pages=of.get("pages")), 1, submitter)
    ledger.begin(job, "document", "opener")
    ledger.open(job, "opener", 3, 1, {"total": 9, "queue": "q", "engine": "e"}, of.get("cached", ()))


def publish(ledger: Ledger, job: str = JOB) -> None:
    """Publish the end as a worker does."""

    def encode(record: Any, summary: Any) -> Publication:
        return Publication("result", 60, (), end_event(record.state), end_data(record, summary))

    assert publish_end(job, ledger, encode)


def ended(ledger: Ledger, url: str, job: str = JOB, **of: Any) -> None:
    """A job with a webhook whose end is published."""
    submitted(ledger, url, job=job, **of)
    read(ledger, None, "engine_error", None, job=job)
    assembled(ledger, job)
    publish(ledger, job)


def only(ledger: Ledger) -> Delivery:
    (delivery,) = Deliveries(ledger).newest_first()
    return delivery


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
        "counts": {"ok": 2, "failed": 1, "cancelled": 0},
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


# -- trying again ----------------------------------------------------------------------------------------------------
def test_tries_follow_the_schedule_and_then_end(ledger: Ledger, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    ended(ledger, receiver.url)
    for number, (before, at) in enumerate(pairwise(SCHEDULE), 1):
        assert send(ledger) == 1
        delivery = only(ledger)
        assert (delivery.state, delivery.tries, delivery.status) == ("pending", number, 500)
        assert delivery.next is not None
        pause = delivery.next - ledger.now()
        assert at - before <= pause <= 1.1 * (at - before) + 0.01
        later(ledger, pause - 0.1)
        assert send(ledger) == 0, "it is not due"
        later(ledger, 0.2)
    assert send(ledger) == 1
    delivery = only(ledger)
    assert (delivery.state, delivery.tries, delivery.error) == ("failed", 10, "the URL answered 500")
    later(ledger, 1e6)
    assert send(ledger) == 0
    assert len({call.id for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    assert len(receiver.calls) == len(SCHEDULE) == 10


def test_a_second_try_can_succeed(ledger: Ledger, receiver: Receiver) -> None:
    receiver.answer = lambda _: 503 if len(receiver.calls) == 1 else 200
    ended(ledger, receiver.url)
    send(ledger)
    later(ledger, 6)
    send(ledger)
    assert (only(ledger).state, only(ledger).tries) == ("delivered", 2)
    assert figures.read(ledger.redis).events == {("webhook", "retried"): 1, ("webhook", "delivered"): 1}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(ledger: Ledger, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: status
    ended(ledger, receiver.url)
    send(ledger)
    assert [call.path for call in receiver.calls] == ["/hook"]
    assert (only(ledger).state, only(ledger).status) == ("pending", status)


def test_an_answer_410_switches_the_webhook_off(ledger: Ledger, receiver: Receiver) -> None:
    receiver.answer = lambda _: 410
    submitted(ledger, receiver.url, ALL)
    read(ledger, None)
    send(ledger)
    assert only(ledger).state == "gone"
    read(ledger, None, None)
    assembled(ledger)
    publish(ledger)
    assert send(ledger) == 0
    assert len(receiver.calls) == 1


def test_an_answer_410_ends_what_is_pending(ledger: Ledger, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    submitted(ledger, receiver.url, ALL)
    read(ledger, None, None)
    send(ledger)
    receiver.answer = lambda _: 410
    later(ledger, 6)
    send(ledger)
    later(ledger, 1e6)
    send(ledger)
    assert {delivery.state for delivery in Deliveries(ledger).newest_first()} == {"gone"}
    assert 3 <= len(receiver.calls) <= 4, "two at first; one or both at once before the first answer 410"


def test_an_endpoint_that_never_answers_is_left_after_the_time_of_a_try(ledger: Ledger, receiver: Receiver) -> None:
    released = threading.Event()
    receiver.answer = lambda _: 200 + released.wait(60)
    ended(ledger, receiver.url)
    assert send(ledger, seconds=1) == 1
    delivery = only(ledger)
    assert (delivery.state, delivery.status, delivery.error) == ("pending", None, "it took too long")
    released.set()


def test_an_endpoint_that_drips_is_left_too(ledger: Ledger) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        stop = threading.Event()

        def drip() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.1):
                    try:
                        client.sendall(b"X-A: b\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        ended(ledger, f"http://127.0.0.1:{server.getsockname()[1]}/")
        send(ledger, seconds=1)
        stop.set()
        thread.join(10)
    assert (only(ledger).state, only(ledger).error) == ("pending", "it took too long")


def test_a_port_without_a_server_is_tried_again(ledger: Ledger) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    ended(ledger, f"http://127.0.0.1:{port}/")
    send(ledger)
    assert only(ledger).state == "pending"
    assert "refused" in str(only(ledger).error)


# -- one dead endpoint among others ----------------------------------------------------------------------------------
def jobs(count: int, start: int = 0) -> list[str]:
    return [f"{start + i:08d}{JOB[8:]}" for i in range(count)]


def test_a_dead_endpoint_delays_no_other(ledger: Ledger, receiver: Receiver) -> None:
    released, at_once, most = threading.Event(), [0], [0]

    def hang(_: Call) -> int:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        released.wait(60)
        at_once[0] -= 1
        return 204

    with receiving(hang) as dead:
        for job in jobs(60):
            ended(ledger, dead.url, job)
        for job in jobs(20, 500):
            ended(ledger, receiver.url, job)
        done = threading.Thread(target=sender(ledger, seconds=30).run, args=(1,))
        done.start()
        end = time.monotonic() + 20
        while len(receiver.calls) < 20 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(receiver.calls) == 20, "they come while the other endpoint hangs"
        assert (len(dead.calls), most[0]) == (4, 4)
        released.set()
        done.join(30)


def test_a_host_that_does_not_answer_is_called_a_few_times_in_a_run(ledger: Ledger) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:  # takes connections, and never reads
        for job in jobs(50):
            ended(ledger, f"http://127.0.0.1:{server.getsockname()[1]}/", job)
        assert sender(ledger, seconds=1).run(3) == 50
    found = list(Deliveries(ledger).newest_first())
    assert {(d.state, d.tries) for d in found} == {("pending", 1)}
    assert 3 <= sum(d.error == "it took too long" for d in found) <= 8
    assert sum("did not answer 3 calls" in str(d.error) for d in found) >= 42


def test_a_receiver_that_restarts_gets_the_second_try(redis: "redis_py.Redis") -> None:
    ledger = Ledger(redis)  # with the server's clock
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for job in jobs(12):
        ended(ledger, f"http://127.0.0.1:{port}/", job)
    running = threading.Thread(target=sender(ledger, schedule=(0, 4, 1000)).run, args=(8,))
    running.start()
    end = time.monotonic() + 20
    while any(not d.tries for d in Deliveries(ledger).newest_first()) and time.monotonic() < end:
        time.sleep(0.05)
    with receiving(port=port) as receiver:
        running.join(20)
        assert sorted(call.data["job"] for call in receiver.calls) == jobs(12)
    assert {(d.state, d.tries) for d in Deliveries(ledger).newest_first()} == {("delivered", 2)}


# -- several senders -------------------------------------------------------------------------------------------------
def test_two_senders_send_each_delivery_once(ledger: Ledger, receiver: Receiver) -> None:
    for job in jobs(40):
        ended(ledger, receiver.url, job)
    threads = [threading.Thread(target=send, args=(ledger,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(call.data["job"] for call in receiver.calls) == jobs(40)


def test_a_claim_holds_until_its_lease_ends(ledger: Ledger, receiver: Receiver) -> None:
    ended(ledger, receiver.url)
    deliveries = Deliveries(ledger)
    (due,) = deliveries.due()
    lost = deliveries.claim(due, "first", 30)
    assert lost is not None
    assert deliveries.claim(due, "second", 30) is None
    again = deliveries.claim(due, "first", 30)
    assert again is not None, "asked again, because the answer was lost"
    assert again.delivery.tries == 1
    assert send(ledger) == 0
    later(ledger, 31)
    assert send(ledger) == 1
    assert not deliveries.settle(lost, DeliveryState.FAILED, error="late"), "the claim was lost"
    assert (only(ledger).state, only(ledger).tries) == ("delivered", 2)


# -- to whom it is never sent ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/hook",
        "http://localhost:{port}/hook",
        "http://[::1]:{port}/hook",
        "http://[::ffff:127.0.0.1]:{port}/hook",
        "http://169.254.169.254:{port}/latest/meta-data",
        "http://10.0.0.1:{port}/",
        "http://0.0.0.0:{port}/",
    ],
)
def test_private_addresses_are_not_called(ledger: Ledger, receiver: Receiver, url: str) -> None:
    ended(ledger, url.format(port=receiver.port))
    Sender(ledger, WebhookSettings(allowed(), DEFAULT, 5)).run(0.4)
    delivery = only(ledger)
    assert (delivery.state, delivery.status) == ("failed", None)
    assert "OCR_WEBHOOK_URLS" in str(delivery.error) or "private address" in str(delivery.error)
    assert receiver.calls == []


def test_only_named_urls_are_called_if_public_is_left_out(ledger: Ledger, receiver: Receiver) -> None:
    base = f"http://127.0.0.1:{receiver.port}"
    for job, url in zip(jobs(3), (f"{base}/a/x", f"{base}/b/", "http://example.org/"), strict=True):
        ended(ledger, url, job)
    Sender(ledger, WebhookSettings(allowed(f"{base}/a/", public=False), DEFAULT, 5)).run(0.4)
    assert [call.path for call in receiver.calls] == ["/a/x"]
    assert sorted(d.state for d in Deliveries(ledger).newest_first()) == ["delivered", "failed", "failed"]


def test_a_name_that_changes_its_address_gains_nothing(
    ledger: Ledger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look-up gives a public address, each later one 127.0.0.1: the connection goes to the first."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return real(host, port, *args, **more)
        asked.append(host)
        return real("192.88.99.1" if len(asked) == 1 else "127.0.0.1", port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    ended(ledger, f"http://rebinding.example:{receiver.port}/hook")
    Sender(ledger, WebhookSettings(allowed(), DEFAULT, 1)).run(0.4)
    assert asked == ["rebinding.example"]
    assert receiver.calls == []
    assert only(ledger).status is None


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
