"""The probe of real workers: it fails for a consumer that hears nothing, and only for that."""

import subprocess
import threading
from collections.abc import Iterator

import pytest

from ocrqueue.ledger.workers import live
from tests.support import numbered
from tests.support.faults import Supervised, eventually, supervised
from tests.support.harness import PROJECT

FOREVER = "forever=tests.support.engines:Numbered"
LEASE = 3  # seconds; a consumer is dead after 4, and its probe fails after 7


@pytest.fixture
def stack() -> Iterator[Supervised]:
    with supervised(OCR_LEASE_SECONDS=str(LEASE), OCR_SHUTDOWN_SECONDS="1") as stack:
        yield stack


def probe(stack: Supervised, what: str = "live", name: str = "worker@test") -> bool:
    """What deploy/probe.sh says. A sign of life is given every third of a second here, and may be 3 s old."""
    command = ["sh", str(PROJECT / "deploy" / "probe.sh"), what, name, "3"]
    return subprocess.run(command, env=stack.env, capture_output=True, timeout=20).returncode == 0


@pytest.mark.thorough
def test_a_worker_whose_consumer_is_deaf_fails_its_probe(stack: Supervised) -> None:
    """The answers to its BRPOP do not come, while its keeper works. Nobody is told that it takes pages."""
    deaf, again = threading.Event(), threading.Event()

    def swallow(data: bytes) -> None:
        if deaf.is_set() and b"BRPOP" in data:
            again.wait(60)

    relay = stack.relay(swallow)
    assert not probe(stack)
    stack.start_worker(REDIS_URL=relay.url)
    assert eventually(lambda: probe(stack, "ready"), 20, 0.3)
    try:
        deaf.set()
        eventually(lambda: not probe(stack), 40, 0.3)
        assert "takes no messages although Redis answers" in stack.text("worker")
        eventually(lambda: not live(stack.redis), 20, 0.3)
        assert not probe(stack, "ready")
    finally:
        again.set()
    eventually(lambda: probe(stack), 40, 0.3)
    eventually(lambda: live(stack.redis), 20, 0.3)


def test_a_busy_worker_and_one_without_redis_live(stack: Supervised) -> None:
    """A page takes longer than a silent consumer may; then Redis is away for as long."""
    stack.start_documents(children=1)
    stack.start_worker(engines=FOREVER)
    eventually(lambda: probe(stack, "ready"), 20, 0.3)
    stack.client().submit(numbered.document(1, {1: numbered.SLEEP_FOREVER}), engine="forever")
    eventually(lambda: stack.redis.zcard("ocr:claims"), 20)
    never_fails(stack, 8)
    stack.kill("redis")
    never_fails(stack, 8)
    stack.start_redis()
    never_fails(stack, 2)
    documents = "documents@test"
    assert probe(stack, "ready", documents)
    process = stack.unwatched("documents")
    process.terminate()
    assert process.wait(30) == 0
    assert not probe(stack, "live", documents)


def never_fails(stack: Supervised, seconds: float) -> None:
    """For this time, the probe of the worker succeeds."""
    over = threading.Event()
    threading.Timer(seconds, over.set).start()
    while not over.wait(0.3):
        assert probe(stack), stack.text("worker")[-2000:]
