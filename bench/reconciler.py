"""What many open jobs cost: a run of the reconciler, Redis memory, and the first part of each list.

`python -m bench.reconciler [--jobs N ...] [--times N] [--out FILE]`. A third of the jobs wait to be opened; the others
have ten open pages, of which workers hold some. They are up to an hour old, and every message waits in
Redis, so all jobs are healthy and the reconciler has nothing to do. Processor time is what to go by on a busy machine.
"""

import os
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from uuid import uuid4

from redis import Redis

from bench.support import raw, table
from bench.support.server import commands, cpu
from bench.support.stack import RECONCILE_SECONDS, machine, private_stack
from ocrqueue import names
from ocrqueue.client import Client, doctor
from ocrqueue.client.listing import JobFilter
from ocrqueue.ledger import Ledger, Message, Source
from ocrqueue.ledger.waiting import jobs_waiting
from ocrqueue.ledger.workers import Worker, announce
from ocrqueue.options import Options
from ocrqueue.states import JobState, MessageKind
from ocrqueue.steps.lanes import wanted_lanes
from ocrqueue.steps.reconciler import Reconciler
from tests.support.harness import Stack

CHILDREN, PAGES, AGE = 40, 10, 3600.0
QUEUE = "pages.rapidocr"
RECORD = {"total": PAGES, "engine": "rapidocr", "model": "pp-ocrv6-small", "revision": "1", "queue": QUEUE}
WORKERS = (
    Worker("reader", "here", 1, "1", (QUEUE,), {"rapidocr": {"model": "pp-ocrv6-small"}}, children=CHILDREN),
    Worker("opener", "here", 2, "1", (names.DOCUMENTS_QUEUE, names.MAINTENANCE_QUEUE), children=2),
)


@dataclass(slots=True)
class Cost:
    """What a number of open jobs costs."""

    jobs: int
    memory: int  # bytes of Redis for each job, with its messages
    tickets: int  # messages in the queues
    redis: list[float]  # processor seconds of Redis for each run
    own: list[float]  # processor seconds of the reconciler for each run
    wall: list[float]  # seconds of each run
    commands: int  # of a run, those in scripts included
    sent: int  # messages that all runs sent
    first: dict[str, tuple[float, ...]]  # by list: seconds until its first part, processor time here, and of Redis


class Copies:
    """Puts messages into the lists of Redis as Celery does: each is a copy of a real one with another job's id."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._made: dict[tuple[str, ...], tuple[str, str, str]] = {}  # by kind, queue, priority: list, job, text

    def send(self, messages: list[Message]) -> None:
        """Send messages."""
        with self._client.redis.pipeline(transaction=False) as pipe:
            for message in messages:
                name, job, text = self._copy(message)
                pipe.lpush(name, text.replace(job, message.job))
            pipe.execute()

    def _copy(self, message: Message) -> tuple[str, str, str]:
        kind = (message.kind, message.queue or "", str(message.priority))
        if kind not in self._made:
            redis = self._client.redis
            name = f"{message.queue or names.DOCUMENTS_QUEUE}\x06\x16{message.priority}"
            self._client.send([message])
            text = str(redis.lpop(name))
            self._made[kind] = name, message.job, text
        return self._made[kind]


def fill(client: Client, jobs: int) -> None:
    """Create open jobs with their messages, and claim a page of the first ones, as workers would."""
    for worker in WORKERS:
        announce(client.redis, worker, 24 * 3600)
    copies, opened, now = Copies(client), [], client.ledger.now()
    ledger = Ledger(client.redis)
    for n in range(jobs):
        job, token = str(uuid4()), uuid4().hex
        ledger.clock = now - AGE * (1 - n / jobs)
        source = Source(f"scan-{n:06}.tif", f"source-{n:064x}", f"{n:064x}", 100_000)
        messages = ledger.create(job, source, Options()).messages
        if n % 3:
            ledger.begin(job, MessageKind.DOCUMENT, token)
            lanes = wanted_lanes(CHILDREN, jobs_waiting(client.redis, QUEUE))
            messages = ledger.open(job, token, PAGES, lanes, RECORD).messages
            opened.append((job, min(lanes, PAGES)))
        copies.send(messages)
    tickets = [(job, lane) for job, lanes in opened for lane in range(lanes)]
    for job, lane in tickets[: jobs // 20]:
        assert client.ledger.claim(job, lane, 0, uuid4().hex)
        client.redis.rpop(f"{QUEUE}\x06\x166")


def timed(redis: "Redis", what: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds of a call: wall time, processor time of this process, processor time of Redis."""
    server, own, wall = cpu(redis), time.process_time(), time.perf_counter()
    what()
    return time.perf_counter() - wall, time.process_time() - own, cpu(redis) - server


def measure(stack: Stack, jobs: int, times: int) -> Cost:
    """Fill an empty Redis, and look at what it costs."""
    client, redis = stack.client(), stack.redis
    Ledger(redis).run("settle", "")  # load what every case has
    empty = int(redis.info("memory")["used_memory"])
    fill(client, jobs)
    memory = (int(redis.info("memory")["used_memory"]) - empty) // jobs
    lists = [f"{queue}\x06\x166" for queue in (names.DOCUMENTS_QUEUE, QUEUE)]
    reconciler = Reconciler(Ledger(redis), client.spool, RECONCILE_SECONDS, 3600)
    messages = reconciler.run()  # the first one also searches the spool, and counts jobs
    before = commands(redis)
    runs = [timed(redis, lambda: messages.extend(reconciler.run())) for _ in range(times)]
    walls, own, server = map(list, zip(*runs, strict=True))
    needed = (commands(redis) - before) // times
    looks: dict[str, Callable[[], object]] = {
        "jobs": lambda: next(client.each_job()),
        "dead": lambda: next(client.each_dead(), None),
        "doctor": lambda: list(doctor.examine()),
        "GET /api/v1/jobs": lambda: client.jobs_part(JobFilter(), 50),
        "GET /api/v1/jobs?state=done": lambda: client.jobs_part(JobFilter(JobState.DONE), 50),
        "GET /api/v1/dead": lambda: client.dead_part(50),
    }
    first = {}
    for name, look in looks.items():
        found = [timed(redis, look) for _ in range(5)]
        first[name] = tuple(median(column) for column in zip(*found, strict=True))
    tickets = sum(int(redis.llen(name)) for name in lists)
    return Cost(jobs, memory, tickets, server, own, walls, needed, len(messages), first)


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.reconciler", description="Cost of many open jobs.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--times", type=int, default=10)
    raw.add_option(parser)
    given = parser.parse_args()
    costs = []
    for jobs in given.jobs:
        with private_stack() as stack:
            os.environ |= {name: stack.env[name] for name in ("REDIS_URL", "OCR_DATA_DIR")}  # for `doctor`
            costs.append(measure(stack, jobs, given.times))
    table.show(
        ["open jobs", "Redis CPU s a run, median", "worst", "its own CPU s", "wall s", "commands a run",
         "messages sent", "bytes of Redis a job", "messages in queues"],
        [[c.jobs, median(c.redis), max(c.redis), median(c.own), median(c.wall), c.commands, c.sent, c.memory, c.tickets]
         for c in costs],
    )  # fmt: skip
    table.show(
        ["first part of", "open jobs", "wall s", "own CPU s", "Redis CPU s"],
        [[name, c.jobs, *seconds] for c in costs for name, seconds in c.first.items()],
    )
    print(f"\n{machine()}")
    raw.write(given.out, {"costs": [asdict(cost) for cost in costs]})


if __name__ == "__main__":
    main()
