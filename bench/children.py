"""A thousand simulated worker children on one Redis, with the real scripts of the ledger and no engine.

`python -m bench.children [--children N] [--page-seconds S ...] [--seconds S] [--jobs N] [--processes N] [--out FILE]`.
Each child takes a ticket, claims a page, waits as long as a page takes, finishes the page and sends the next ticket.
The child that reads the last page of a job ends the job and opens a new one, so the number of open jobs stays. Leases
are renewed, and the reconciler runs. Celery is left out: what its messages and events cost Redis comes on top.

The children share processes, whose processor time limits them too: a ping from a process that does nothing else shows
how long Redis itself takes. At the end two real children read pages and jobs, with an engine that takes no time.
"""

import asyncio
import json
import multiprocessing
import random
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any, cast
from uuid import uuid4

from redis.asyncio import Redis as AsyncRedis

from bench.support import raw, table
from bench.support.server import commands, cpu
from bench.support.stack import RECONCILE_SECONDS, machine, private_stack, start_workers
from ocrqueue import names
from ocrqueue.ledger import ATTEMPTS, LEASE, Ledger, Source, scripts
from ocrqueue.ledger.workers import Worker, announce
from ocrqueue.options import Options
from ocrqueue.steps.lanes import wanted_lanes
from ocrqueue.steps.reconciler import Reconciler
from tests.support import numbered
from tests.support.harness import NUMBERED, Stack

QUEUE = "pages.rapidocr"
LIST = f"{QUEUE}\x06\x166"  # where kombu puts tickets of normal priority
PAGES = 10
PADDING = " " + "x" * 1050  # Celery's message of a ticket has 1.1 KB
RECORD = {"total": PAGES, "engine": "rapidocr", "model": "pp-ocrv6-small", "revision": "1", "queue": QUEUE}
CHILDREN_OF_A_WORKER = 8
REAL_PAGES, REAL_JOBS = 300, 150  # that real workers read, to see what Celery costs
WARM_UP = 5.0  # seconds that are not measured
PINGS = 0.02  # seconds between two pings


@dataclass(slots=True)
class Load:
    """What one process of children did while it was measured."""

    pages: int = 0
    jobs: int = 0
    claims: list[float] = field(default_factory=list)  # seconds of each claim, as the child sees it
    cpu: float = 0.0  # processor seconds of the process


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all children did at one page time."""

    page_seconds: float
    offered: float  # pages per second that the children could read
    pages: float  # pages per second
    jobs: float  # jobs per second that ended and were opened
    redis: float  # share of one core that Redis needed
    redis_page: float  # its processor milliseconds for each page
    children: float  # share of a core that each process of children needed
    claim: tuple[float, float]  # milliseconds, median and 99th percentile
    ping: tuple[float, float]  # the same of a ping


class Children:
    """The children of one process."""

    def __init__(self, redis: "AsyncRedis", page_seconds: float, lanes: int) -> None:
        self.redis = redis
        self.page_seconds = page_seconds
        self.lanes = lanes
        self.load = Load()
        self.claims: dict[str, str] = {}  # live ones: token to job

    async def call(self, script: str, job: str, *args: object) -> dict[str, Any]:
        """Run a script of the ledger."""
        keys = scripts.keys(job)
        argv = [job, "", LEASE, ATTEMPTS, *args]
        answer = await cast("Any", self.redis).evalsha(SHAS[script], len(keys), *keys, *argv)
        return cast("dict[str, Any]", json.loads(answer)) if answer else {}

    async def send(self, job: str, reply: dict[str, Any]) -> None:
        """Put tickets into the queue, and do at once what a documents worker would do for other messages."""
        for kind, *args in reply.get("messages") or []:
            if kind == "page":
                await cast("Any", self.redis.lpush(LIST, f"{job} {args[0]} {args[1]}{PADDING}"))
            elif kind == "assemble":
                await self.end(job, args[0])

    async def end(self, job: str, round: int) -> None:
        """End a job, and open a new one."""
        token = uuid4().hex
        await self.call("begin", job, "assemble", round, token, "1")
        await self.call("end", job, round, token, "[]", "", "")
        await self.call("publish", job, round, '"done"', 60, "", "{}")
        await self.call("confirm_end", job, round)
        await self.call("drop", job)
        self.load.jobs += 1
        await self.open()

    async def open(self) -> None:
        """Open a job of ten pages."""
        job, token = str(uuid4()), uuid4().hex
        source, options = Source("scan.tif", "source-" + "0" * 64, "0" * 64, 100_000), Options()
        record = {"v": 1, "source": source.dumps(), "options": "{}", "name": source.name, "priority": 6, "round": 1}
        flat = [item for pair in record.items() for item in pair]
        await self.call("create", job, f"{options.given()}", *flat)
        await self.call("begin", job, "document", 0, token, "1")
        flat = [item for pair in RECORD.items() for item in pair]
        await self.send(job, await self.call("open", job, token, PAGES, self.lanes, "[]", *flat))

    async def worker(self, children: int) -> None:
        """Take a ticket whenever a child is free, until the task is cancelled."""
        free, pages = asyncio.Semaphore(children), set()
        while True:
            await free.acquire()
            found = await cast("Any", self.redis.brpop([LIST], timeout=5))
            if found is None:
                free.release()
                continue
            page = asyncio.create_task(self.child(found[1]))
            pages.add(page)
            page.add_done_callback(pages.discard)
            page.add_done_callback(lambda _: free.release())

    async def child(self, ticket: str) -> None:
        """Read the page of a ticket."""
        job, lane, serial, _ = ticket.split(" ", 3)
        token, begun = uuid4().hex, time.perf_counter()
        claimed = (await self.call("claim", job, lane, serial, token, 1, 1, "1")).get("pages")
        self.load.claims.append(time.perf_counter() - begun)
        if not claimed:
            return
        await cast("Any", self.redis.hgetall(names.job_key(job)))
        self.claims[token] = job
        await asyncio.sleep(self.page_seconds * random.uniform(0.5, 1.5))
        del self.claims[token]
        result = json.dumps({str(n): ["ok", self.page_seconds, 0.97, 96] for n in claimed})
        reply = await self.call("finish", job, token, result, round(1000 * self.page_seconds))
        self.load.pages += 1
        await self.send(job, reply)

    async def keep(self) -> None:
        """Renew the leases as the parents of workers do, 4.5 times in their length."""
        while True:
            await asyncio.sleep(LEASE / 4.5)
            for token, job in list(self.claims.items()):
                await self.call("renew", job, token)


SHAS: dict[str, str] = {}


async def _simulate(socket: str, children: int, page_seconds: float, lanes: int, seconds: float) -> Load:
    redis = AsyncRedis(unix_socket_path=socket, decode_responses=True, max_connections=2 * children)
    for name in scripts.NAMES:
        SHAS[name] = str(await redis.script_load(scripts.source(name)))
    some = Children(redis, page_seconds, lanes)
    workers = [some.worker(CHILDREN_OF_A_WORKER) for _ in range(children // CHILDREN_OF_A_WORKER)]
    tasks = [asyncio.create_task(work) for work in (*workers, some.keep())]
    await asyncio.sleep(WARM_UP)
    some.load, cpu = Load(), time.process_time()
    await asyncio.sleep(seconds)
    load, load.cpu = some.load, time.process_time() - cpu
    some.load = Load()
    assert not any(task.done() for task in tasks), "a worker ended"
    return load  # the other tasks end with the process


def _process(*how: Any) -> Load:
    return asyncio.new_event_loop().run_until_complete(_simulate(*how))  # `run` would wait for the other tasks


async def _open(socket: str, jobs: int, lanes: int) -> None:
    redis = AsyncRedis(unix_socket_path=socket, decode_responses=True)
    for name in scripts.NAMES:
        SHAS[name] = str(await redis.script_load(scripts.source(name)))
    some = Children(redis, 0, lanes)
    for _ in range(jobs):
        await some.open()
    await redis.aclose()


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    parts = quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
    return 1000 * parts[49], 1000 * parts[98]


def measure(stack: Stack, children: int, page_seconds: float, seconds: float, jobs: int, processes: int) -> Outcome:
    """Let the children read for some seconds."""
    lanes = wanted_lanes(children, jobs)
    announce(stack.redis, Worker("all", "here", 1, "1", (QUEUE,), children=children), 3600)
    asyncio.run(_open(str(stack.socket), jobs, lanes))
    how = (str(stack.socket), children // processes, page_seconds, lanes, seconds)
    reconciler = Reconciler(Ledger(stack.redis), stack.client().spool, RECONCILE_SECONDS, 3600)
    pings = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        running = pool.starmap_async(_process, [how] * processes)
        time.sleep(WARM_UP + 1)  # they start later
        begun, server = time.monotonic(), cpu(stack.redis)
        due = begun + 1
        while (now := time.monotonic()) < begun + seconds:
            if now >= due:
                assert not reconciler.run(), "something seems lost"
                due = now + RECONCILE_SECONDS
            before = time.perf_counter()
            stack.redis.ping()
            pings.append(time.perf_counter() - before)
            time.sleep(PINGS)
        server, lasted = cpu(stack.redis) - server, time.monotonic() - begun
        loads: list[Load] = running.get(60)
    pages = sum(load.pages for load in loads)
    return Outcome(
        page_seconds, children / page_seconds, pages / seconds, sum(load.jobs for load in loads) / seconds,
        server / lasted, 1000 * server / lasted / max(1, pages / seconds), max(load.cpu for load in loads) / seconds,
        _percentiles([claim for load in loads for claim in load.claims]), _percentiles(pings),
    )  # fmt: skip


def with_celery() -> list[list[table.Cell]]:
    """What Redis spends on pages and jobs of real workers, whose engine takes no time: rows of a table."""
    rows: list[list[table.Cell]] = []
    with private_stack() as stack:
        start_workers(stack, NUMBERED)
        client = stack.client()
        long, many = [numbered.document(REAL_PAGES)], [numbered.document(1, salt=n + 1) for n in range(REAL_JOBS)]
        for what, documents, units in (("page of a long job", long, REAL_PAGES), ("one-page job", many, REAL_JOBS)):
            server, before = cpu(stack.redis), commands(stack.redis)
            jobs = [client.submit(document) for document in documents]
            for job in jobs:
                assert job.wait(timeout=300).state == "done"
            spent = 1000 * (cpu(stack.redis) - server) / units
            rows.append([what, units, spent, (commands(stack.redis) - before) / units, 1000 / spent])
    return rows


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.children", description="Simulated worker children on one Redis.")
    parser.add_argument("--children", type=int, default=1000)
    parser.add_argument("--page-seconds", type=float, nargs="+", default=[10.0, 5.0, 2.5, 1.25, 0.6])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--jobs", type=int, default=5000, help="open jobs of ten pages (default 5000)")
    parser.add_argument("--processes", type=int, default=2, help="processes that the children share (default 2)")
    parser.add_argument("--no-celery", action="store_true", help="leave out the real workers")
    raw.add_option(parser)
    given = parser.parse_args()
    found = []
    for page_seconds in given.page_seconds:
        with private_stack() as stack:
            found.append(measure(stack, given.children, page_seconds, given.seconds, given.jobs, given.processes))
    table.show(
        ["seconds a page", "pages/s offered", "pages/s", "jobs/s", "Redis, share of a core", "Redis CPU ms a page",
         "a process of children, share", "claim ms, median", "claim ms, p99", "ping ms, median", "ping ms, p99"],
        [[o.page_seconds, o.offered, o.pages, o.jobs, o.redis, o.redis_page, o.children, *o.claim, *o.ping]
         for o in found],
    )  # fmt: skip
    real = [] if given.no_celery else with_celery()
    table.show(["real workers", "number", "Redis CPU ms", "commands", "as many a second fill Redis"], real)
    print(f"\n{given.children:,} children, {given.jobs:,} open jobs; {machine()}")
    raw.write(given.out, {"simulated": [asdict(one) for one in found], "real": real})


if __name__ == "__main__":
    main()
