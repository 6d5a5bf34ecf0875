"""Webhooks with real workers: kills and restarts lose no delivery, and no secret shows anywhere."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery

from ocrqueue import names
from ocrqueue.client import Job
from tests.support import numbered
from tests.support.faults import Supervised, eventually, supervised
from tests.support.receiver import Receiver, receiving
from tests.support.thorough import thorough_but

SECRET = "whsec_" + "A" * 32
DEFAULT = "whsec_" + "B" * 32


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def answering(receiver: Receiver) -> None:
    """Each test begins with a receiver that takes everything, and has got nothing."""
    receiver.answer = lambda _: 204
    receiver.calls.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which plain messages may name documents."""
    return tmp_path_factory.mktemp("plain")


@pytest.fixture(scope="module")
def stack(receiver: Receiver, folder: Path) -> Iterator[Supervised]:
    env = {
        "OCR_ALLOWED_SOURCES": str(folder),
        "OCR_WEBHOOK_URLS": f"http://127.0.0.1:{receiver.port}/",
        "OCR_WEBHOOK_SECRET": DEFAULT,
    }
    with supervised(OCR_WEBHOOK_SECONDS="2", **env) as stack:
        stack.start_documents(children=2)
        stack.start_worker()
        stack.start_beat()
        stack.supervise()
        yield stack


def submit(stack: Supervised, receiver: Receiver, pages: int = 1, events: tuple[str, ...] = ("job.*",)) -> Job:
    return stack.client().submit(
        numbered.document(pages),
        engine="numbered",
        owner="invoices",
        webhook={"url": receiver.url, "secret": SECRET, "events": events},
    )


def settled(stack: Supervised) -> bool:
    """Whether every delivery has ended."""
    return not stack.redis.exists(names.DUE)


def test_the_end_and_each_page_are_delivered_at_once(stack: Supervised, receiver: Receiver) -> None:
    job = submit(stack, receiver, 3, ("job.*", "page.*"))
    eventually(lambda: len(receiver.calls) == 4, 30)
    eventually(lambda: settled(stack), 30)
    assert [call.verified(SECRET)["data"]["job"] for call in receiver.calls] == [job.id] * 4
    assert sorted(call.data.get("page", 0) for call in receiver.calls) == [0, 1, 2, 3]
    assert len(receiver.calls) == 4, "nothing was sent twice"


@pytest.mark.thorough
def test_a_failed_call_is_tried_again_within_seconds(stack: Supervised, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500 if len(receiver.calls) == 1 else 200
    submit(stack, receiver)
    eventually(lambda: settled(stack) and len(receiver.calls) == 2, 40)
    assert len({call.id for call in receiver.calls}) == 1


@pytest.mark.parametrize(("point", "calls"), thorough_but(1, [("called", 2), ("calling", 1)]))
def test_a_process_that_is_killed_loses_no_delivery(
    stack: Supervised, receiver: Receiver, point: str, calls: int
) -> None:
    """A delivery that was sent before the kill comes again, with the same id: at least once."""
    trap = stack.trap(point)
    submit(stack, receiver)
    eventually(lambda: not trap.exists(), 30)
    eventually(lambda: settled(stack) and len(receiver.calls) == calls, 60)
    assert len({call.id for call in receiver.calls}) == 1
    assert receiver.calls[-1].verified(SECRET)["type"] == "job.done"


@pytest.mark.thorough
def test_killed_workers_and_a_restart_of_redis_lose_no_delivery(stack: Supervised, receiver: Receiver) -> None:
    held = threading.Event()
    receiver.answer = lambda _: 200 + 300 * (not held.is_set())
    job = submit(stack, receiver)
    eventually(lambda: receiver.calls, 30)
    for name in ("documents", "worker"):
        stack.strike(name)
    stack.strike("redis", 15)
    held.set()
    eventually(lambda: settled(stack) and job.status().has_ended, 60)
    assert {call.data["job"] for call in receiver.calls} == {job.id}
    assert len({call.id for call in receiver.calls}) == 1


@pytest.mark.thorough
def test_a_plain_message_may_name_a_webhook_but_no_secret(stack: Supervised, receiver: Receiver, folder: Path) -> None:
    document = numbered.write(folder / "plain.tif", 1)
    given = {"source": {"path": str(document)}, "options": {"engine": "numbered"}}
    with Celery(broker=stack.client().settings.redis) as app:
        jobs = [str(uuid4()), str(uuid4())]
        for job, webhook in zip(jobs, (receiver.url, {"url": receiver.url, "secret": SECRET}), strict=True):
            kwargs = {**given, "webhook": webhook}
            app.send_task(names.DOCUMENT, kwargs=kwargs, queue="documents", task_id=job, kwargsrepr="{}")
    eventually(lambda: receiver.calls, 30)
    assert receiver.calls[0].verified(DEFAULT)["data"]["job"] == jobs[0]
    refused = stack.client().job(jobs[1]).wait(60)
    assert refused.code == "invalid_options"
    assert "must not have the secret" in str(refused.message)
    assert len(receiver.calls) == 1


def test_no_secret_shows_anywhere(stack: Supervised, receiver: Receiver) -> None:
    job = submit(stack, receiver)
    job.wait(60)
    eventually(lambda: settled(stack), 30)
    shown = [stack.text(name) for name in ("documents", "worker", "beat")]
    shown += [stack.submit(*command).stdout for command in (("status", job.id, "--json"), ("jobs", "--json"))]
    shown += [str(stack.redis.get(key)) for key in stack.redis.scan_iter("celery-task-meta-*")]
    assert job.id in "".join(shown)
    assert json.loads(shown[3])["owner"] == "invoices"
    assert [text for text in shown if SECRET in text or DEFAULT in text] == []
