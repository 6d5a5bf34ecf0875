"""Many clients that wait: event streams and waiting requests take no thread each, and survive a restart of Redis."""

import asyncio
import json

import httpx2
import pytest

from ocrqueue.client import Job
from tests.support.harness import Stack, eventually, running
from tests.support.player import Reader
from tests.support.web import Web, start_web

STREAMS, WAITING = 200, 50


@pytest.mark.thorough
def test_streams_and_waiting_requests_take_no_thread_and_miss_nothing_over_a_restart_of_redis() -> None:
    with running() as stack:
        client = stack.client()
        client.spool.prepare()
        jobs = [client.submit(b"abc", name="scan.pdf") for _ in range(4)]
        readers = [Reader(client, job) for job in jobs]
        for reader in readers:
            reader.open(3)
            reader.step()
        web = start_web(stack)
        asyncio.run(_follow(web, stack, jobs, readers))


async def _follow(web: Web, stack: Stack, jobs: list[Job], readers: list[Reader]) -> None:
    limits = httpx2.Limits(max_connections=None)
    started = asyncio.Semaphore(0)
    async with httpx2.AsyncClient(base_url=web.api, timeout=60, trust_env=False, limits=limits) as http:

        async def stream(number: int) -> list[int]:
            async with http.stream("GET", f"/jobs/{jobs[number % 4].id}/events") as answer:
                started.release()
                data = [json.loads(line[6:]) async for line in answer.aiter_lines() if line.startswith("data: ")]
            return [event["page"] for event in data if "page" in event]

        async def wait(number: int) -> str:
            return str((await http.get(f"/jobs/{jobs[number % 4].id}?wait=55")).json()["state"])

        streams = [asyncio.create_task(stream(n)) for n in range(STREAMS)]
        waiting = [asyncio.create_task(wait(n)) for n in range(WAITING)]
        for _ in range(STREAMS):
            await started.acquire()
        await asyncio.sleep(2)
        threads = web.process.num_threads()
        assert len(web.process.net_connections(kind="tcp")) > STREAMS + WAITING
        await asyncio.to_thread(stack.kill, "redis", 15)
        await asyncio.to_thread(stack.start_redis)
        await asyncio.to_thread(lambda: [reader.read() for reader in readers])
        found = await asyncio.gather(*streams, *waiting)
    assert threads <= 45, "at most the pool of short work, and a few"
    assert found[:STREAMS] == [[1, 2, 3]] * STREAMS
    assert found[STREAMS:] == ["done"] * WAITING
    eventually(lambda: web.process.num_threads() <= 45)
