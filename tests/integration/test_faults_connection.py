"""Connections cut at the worst moments, and a Redis that has forgotten the last things it said yes to."""

import hashlib
import os
import re
import signal
from collections.abc import Iterator

import pytest

from ocrqueue import names
from ocrqueue.ledger import scripts
from tests import numbered
from tests.faults import Supervised, Verdict, eventually, supervised

SLOW = "slow=tests.engines:Slow"
TOKEN = re.compile(rb"\r\n([0-9a-f]{32})\r\n")


class CutOnce:
    """Cuts the connection in each call of a script, by its claim's token: before it, or before its answer, in turns."""

    def __init__(self, script: str) -> None:
        self._sha = hashlib.sha1(scripts.source(script).encode()).hexdigest().encode()
        self.tokens: list[bytes] = []

    def __call__(self, data: bytes) -> Verdict:
        token = TOKEN.search(data)
        if self._sha not in data or token is None or token[1] in self.tokens:
            return None
        self.tokens.append(token[1])
        return "request" if len(self.tokens) % 2 else "reply"


@pytest.fixture
def stack() -> Iterator[Supervised]:
    with supervised(OCR_SHUTDOWN_SECONDS="1") as stack:
        stack.start_documents(children=1)
        stack.start_beat()
        stack.supervise()
        yield stack


def test_each_finish_is_cut(stack: Supervised) -> None:
    rule = CutOnce("finish")
    relay = stack.relay(rule)
    stack.start_worker(children=2, REDIS_URL=relay.url)
    job = stack.client().submit(numbered.document(8))
    status = job.wait(timeout=60)
    assert (status.state, status.ok) == ("done", 8)
    assert [p["attempts"] for p in job.result()["pages"]] == [0] * 8
    assert len(rule.tokens) == 8


@pytest.mark.parametrize("turns", [0, 1])
def test_each_release_is_cut(stack: Supervised, turns: int) -> None:
    rule = CutOnce("give_back")
    rule.tokens += [b""] * turns
    relay = stack.relay(rule)
    stack.start_worker("first", engines="forever=tests.engines:Numbered", REDIS_URL=relay.url)
    job = stack.client().submit(numbered.document(2, {1: numbered.SLEEP_FOREVER}), engine="forever")
    eventually(lambda: job.status().state == "running" and stack.redis.zcard(names.CLAIMS))
    first = stack.unwatched("first")
    first.terminate()
    assert first.wait(30) == 0
    assert len(rule.tokens) == turns + 1
    assert not stack.redis.zcard(names.CLAIMS)
    record = stack.client().ledger.job(job.id)
    assert [(p.state, p.attempts) for p in stack.client().ledger.pages(record)] == [("open", 0), ("open", 0)]


@pytest.mark.parametrize("lost", [2_000, 30_000])
def test_the_last_commands_are_cut_off_the_append_only_file(stack: Supervised, lost: int) -> None:
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
    os.truncate(log, max(0, log.stat().st_size - lost))
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
