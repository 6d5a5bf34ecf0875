"""When a webhook is called again, and to whom it is never sent."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
import redis as redis_py

from ocrqueue.ledger import Ledger, figures
from ocrqueue.ledger.deliveries import Deliveries
from ocrqueue.states import DeliveryState
from ocrqueue.webhooks.sender import SCHEDULE, Sender
from ocrqueue.webhooks.settings import WebhookSettings
from tests.support.ledger_steps import assembled, later, read
from tests.support.receiver import Call, Receiver, receiving
from tests.support.webhooks import ALL, DEFAULT, allowed, ended, jobs, only, publish, send, sender, submitted


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


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
    called = [d.error for d in found if "did not answer 3 calls" not in str(d.error)]
    assert 3 <= len(called) <= 12, called  # 8, unless the machine is busy


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
    threads = [threading.Thread(target=sender(ledger).run, args=(30,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
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
