"""Connections cut at the worst moments, and a Redis that has forgotten the last things it said yes to."""

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


class CutOnce:
    """Cuts the connection in each call of a script, by its claim's token: before it, or before its answer, in turns."""

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


def test_each_step_of_a_page_is_cut(stack: Supervised) -> None:
    rule = CutOnce("claim", "finish")
    relay = stack.relay(rule)
    stack.start_worker(children=2, REDIS_URL=relay.url)
    job = stack.client().submit(numbered.document(8))
    status = job.wait(timeout=60)
    assert (status.state, status.ok) == ("done", 8)
    assert [p["attempts"] for p in job.result()["pages"]] == [0] * 8
    for name in ("claim", "finish"):
        assert sum(name == n for n, _ in rule.cuts) >= 8
    assert "do not count" not in stack.text("worker")  # asked again, a step is answered as the first time


def test_no_message_gets_through_while_a_child_is_lost(stack: Supervised) -> None:
    """The worker's keeper, which tells of the loss, goes on renewing and announcing."""
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
    time.sleep(4)  # a lease
    assert [w.id for w in live(stack.redis) if w.engines] == [worker.id]
    assert sum(p["attempts"] for p in job.result()["pages"]) == 1


def test_each_release_is_cut(stack: Supervised) -> None:
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


def test_the_last_commands_are_cut_off_the_append_only_file(stack: Supervised) -> None:
    """An fsync that a power cut swallowed: Redis knows less than everyone else."""
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
    for job in jobs:  # as if they had been sent a while ago: a young one may be on its way into Redis
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
