"""Connections that are cut at the worst moments, and a Redis that has lost the last writes that it confirmed."""

import hashlib
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from ocrqueue import names
from ocrqueue.ledger import scripts
from ocrqueue.ledger.workers import live
from tests.support import numbered
from tests.support.faults import Supervised, Verdict, eventually, send_all, supervised

SLOW = "slow=tests.support.engines:Slow"
TOKEN = re.compile(rb"\r\n([0-9a-f]{32})\r\n")

pytestmark = pytest.mark.thorough


class CutOnce:
    """Cuts the connection once per script and claim: in turns before the request and before the reply."""

    def __init__(self, *names: str) -> None:
        self._scripts = {hashlib.sha1(scripts.source(n).encode()).hexdigest().encode(): n for n in names}
        self.cuts: list[tuple[str, bytes]] = []  # script, token

    def __call__(self, data: bytes) -> Verdict:
        name = next((name for sha, name in self._scripts.items() if sha in data), None)
        token = TOKEN.search(data)
        if name is None or token is None or (name, token[1]) in self.cuts:
            return None
        self.cuts.append((name, token[1]))
        return "request" if sum(name == n for n, _ in self.cuts) % 2 else "reply"


@pytest.fixture
def stack() -> Iterator[Supervised]:
    with supervised(OCR_SHUTDOWN_SECONDS="1") as stack:
        stack.start_documents(children=1)
        stack.start_beat()
        stack.supervise()
        yield stack


def test_pages_are_read_once_when_each_claim_and_each_finish_is_cut(stack: Supervised) -> None:
    rule = CutOnce("claim", "finish")
    relay = stack.relay(rule)
    stack.start_worker(children=2, REDIS_URL=relay.url)
    job = stack.client().submit(numbered.document(8))
    status = job.wait(timeout=60)
    assert (status.state, status.ok) == ("done", 8)
    assert [p["attempts"] for p in job.result()["pages"]] == [0] * 8
    for name in ("claim", "finish"):
        assert sum(name == n for n, _ in rule.cuts) >= 8
    assert "do not count" not in stack.text("worker")  # a repeated step has the same answer


def test_no_message_can_be_sent_while_a_child_is_lost(stack: Supervised) -> None:
    """The keeper of the worker, which reports the loss, still renews leases and announces the worker."""
    away = []
    relay = stack.relay(lambda data: "request" if away and b"LPUSH" in data and b"ocr.page" in data else None)
    worker = stack.start_worker(engines=SLOW, REDIS_URL=relay.url)
    job = stack.client().submit(numbered.document(4), engine="slow")
    eventually(lambda: job.status().ok and stack.redis.zcard(names.CLAIMS))
    away.append(True)
    send_all(stack.children("worker"), signal.SIGKILL)
    eventually(lambda: "could not be sent" in stack.text("worker"))
    away.clear()
    assert job.wait(timeout=60).state == "done"
    time.sleep(4)  # the length of a lease
    assert [w.id for w in live(stack.redis) if w.engines] == [worker.id]
    assert sum(p["attempts"] for p in job.result()["pages"]) == 1


def test_claims_are_returned_when_each_return_is_cut(stack: Supervised) -> None:
    rule = CutOnce("return_claim")
    relay = stack.relay(rule)
    engines = "forever=tests.support.engines:Numbered"
    stack.start_worker("first", engines=engines, REDIS_URL=relay.url)
    job = stack.client().submit(numbered.document(2, {1: numbered.SLEEP_FOREVER}), engine="forever")
    for turn in (1, 2):
        if turn == 2:
            stack.start_worker("first", engines=engines, REDIS_URL=relay.url)
        eventually(lambda: job.status().state == "running" and stack.redis.zcard(names.CLAIMS))
        first = stack.unwatched("first")
        first.terminate()
        assert first.wait(30) == 0
        assert len(rule.cuts) == turn
        assert not stack.redis.zcard(names.CLAIMS)
        record = stack.client().ledger.job(job.id)
        assert [(p.state, p.attempts) for p in stack.client().ledger.pages(record)] == [("open", 0), ("open", 0)]


def test_jobs_end_when_redis_has_lost_the_last_commands_of_its_append_only_file(stack: Supervised) -> None:
    """As after a power failure: Redis has lost writes that its clients know of."""
    stack.start_worker(engines=SLOW, children=2)
    client = stack.client()
    jobs = [client.submit(numbered.document(4, salt=i), engine="slow") for i in range(2)]
    eventually(lambda: jobs[0].status().ok >= 1)
    jobs.append(client.submit(numbered.document(2, salt=2), engine="slow"))
    redis = stack.unwatched("redis")
    os.kill(redis.pid, signal.SIGKILL)
    redis.wait()
    (log,) = (stack.folder / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, max(0, log.stat().st_size - 15_000))
    for job in jobs:  # as if sent 200 s ago: a younger job may not be in Redis yet
        note = client.spool.read_json(job.id, "job.json")
        client.spool.write_json(job.id, "job.json", {**note, "created": note["created"] - 200})
    stack.start_redis()
    assert eventually(lambda: all(stack.redis.exists(names.job_key(job.id)) for job in jobs), 30)
    for job in jobs:
        assert job.wait(timeout=60).state == "done"
        pages = job.result()["pages"]
        assert [p["text"] for p in pages] == [numbered.text(n) for n in range(1, len(pages) + 1)]
        assert max(p["attempts"] for p in pages) <= 1
    assert stack.client().dead() == []
