"""What the queue itself costs: CPU of all processes for a job whose page is in the cache, and submissions per second.

`python -m bench.queue_cost [--jobs N] [--rounds N] [--threads N] [--document FILE] [--out FILE]`. A private stack reads
one document once; then the same document is submitted again and again. Each round also measures what the figures are
compared with: a plain Celery task that does nothing, and pairs of a small file and its folder that are written and
synced to the disk. `submit_many` is measured beside as many threads that write such pairs as it has.
"""

import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, cast

import psutil

from bench.latency import draw
from bench.support import raw, table
from bench.support.stack import machine, private_stack
from ocrqueue import names
from ocrqueue.client.submission.many import AT_ONCE
from ocrqueue.process.disk import sync_folder
from tests.support.harness import Stack, eventually

PAIRS = 50  # files that each thread writes to measure the disk
BYTES = 5000  # of each of them


@dataclass(frozen=True, slots=True)
class Run:
    """One round; CPU times in milliseconds a job or task."""

    cpu: dict[str, float]  # of a job, by process
    commands: dict[str, float]  # Redis commands of a job, by name
    submitting: float  # CPU of the client for a submission alone
    submissions: float  # a second, by one client
    no_op: float = 0  # CPU of a Celery task that does nothing: sender, Redis, worker
    pairs: float = 0  # small files a second, each synced with its folder
    many: float = 0  # submissions a second, by one client with `submit_many`
    many_cpu: dict[str, float] = field(default_factory=dict)  # of client and Redis until it has submitted, a job
    many_pairs: float = 0  # `pairs` of as many threads as `submit_many` has

    @property
    def total(self) -> float:
        """CPU of all processes for a job."""
        return sum(self.cpu.values())


def spent(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """CPU seconds of these processes so far; the children of a worker have a row of their own."""
    found: dict[str, float] = {}
    for name, process in processes.items():
        own = process.cpu_times()
        found[name] = own.user + own.system
        if name != "client" and (children := process.children(recursive=True)):
            times = [child.cpu_times() for child in children]
            ended = own.children_user + own.children_system
            found[f"{name}, children"] = ended + sum(t.user + t.system for t in times)
    return found


def difference(after: Mapping[str, float], before: Mapping[str, float], count: int) -> dict[str, float]:
    """By how much each value has grown, divided by `count`; those that have not are left out."""
    grown = {name: (value - before.get(name, 0)) / count for name, value in after.items()}
    return {name: value for name, value in grown.items() if value > 0}


def commands(stack: Stack) -> dict[str, float]:
    """How often Redis has carried out each command, also inside of scripts."""
    stats = cast("Mapping[str, Mapping[str, Any]]", stack.redis.info("commandstats"))
    return {name.removeprefix("cmdstat_"): float(values["calls"]) for name, values in stats.items()}


def jobs(stack: Stack, document: Path, count: int, threads: int, processes: Mapping[str, psutil.Process]) -> Run:
    """Submit the document so often, from so many threads that share one client, and wait for all jobs."""
    client = stack.client()
    client.submit(document)  # connects
    eventually(lambda: not client.ledger.backlog())
    before, known = spent(processes), commands(stack)
    started = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        submitted = list(pool.map(client.submit, [document] * count))
    seconds, submitting = time.monotonic() - started, spent(processes)["client"] - before["client"]
    for statuses in client.follow([job.id for job in submitted]):
        last = statuses
    eventually(lambda: not stack.redis.zcard(names.UNPUBLISHED))
    assert all(status.ok == 1 for status in last.values()), "a job failed"
    cpu = {name: 1000 * value for name, value in difference(spent(processes), before, count).items()}
    calls = difference(commands(stack), known, count)
    return Run(cpu, calls, 1000 * submitting / count, count / seconds)


def many(
    stack: Stack, document: Path, count: int, processes: Mapping[str, psutil.Process]
) -> tuple[float, dict[str, float]]:
    """Submissions a second of one client that submits the document so often with `submit_many`, and their CPU.

    That is of the client and of Redis, in milliseconds; Redis also serves the workers meanwhile.
    """
    client = stack.client()
    client.submit(document)  # connects
    eventually(lambda: not client.ledger.backlog())
    both = {name: processes[name] for name in ("client", "redis")}
    before, started = spent(both), time.monotonic()
    found = list(client.submit_many([document] * count))
    seconds = time.monotonic() - started
    cpu = {name: 1000 * value for name, value in difference(spent(both), before, count).items()}
    submitted = [one.job.id for one in found if one.job]
    assert len(submitted) == count, "a submission was refused"
    for statuses in client.follow(submitted):
        last = statuses
    assert all(status.ok == 1 for status in last.values()), "a job failed"
    return count / seconds, cpu


def no_op(stack: Stack, count: int, redis: psutil.Process, worker: psutil.Process) -> float:
    """CPU milliseconds of a task that does nothing, over all processes."""
    from bench.support.no_op import app
    from bench.support.no_op import no_op as task

    app.conf.broker_url = f"redis+socket://{stack.socket}?virtual_host=0"
    family = {"redis": redis, "worker": worker, "client": psutil.Process()}
    task.delay()
    eventually(lambda: not stack.redis.llen("celery"))
    before = sum(spent(family).values())
    for _ in range(count):
        task.delay()
    eventually(lambda: not stack.redis.llen("celery"))
    return 1000 * (sum(spent(family).values()) - before) / count


def pairs(folder: Path, threads: int) -> float:
    """Small files a second that so many threads write, each synced together with the name in its folder."""

    def write(number: int) -> None:
        path = folder / str(number)
        with path.open("wb") as file:
            file.write(bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(folder)

    started = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(PAIRS * threads)))
    return PAIRS * threads / (time.monotonic() - started)


def measure(document: Path | None, count: int, rounds: int, threads: int) -> list[Run]:
    """The runs. The first submissions, and the reading of the document, do not count."""
    runs = []
    with private_stack(OCR_CACHE_MAX_GB="2") as stack:
        page = document or draw(stack.folder / "small.png")
        stack.start_documents()
        stack.start_worker(engines="rapidocr", children=1)
        stack.start_beat(20)
        stack.client().submit(page).wait(120)
        processes = {name: psutil.Process(p.pid) for name, p in stack.processes.items()} | {"client": psutil.Process()}
        command = [sys.executable, "-m", "celery", "-A", "bench.support.no_op", "worker", "-c", "1"]
        broker = f"redis+socket://{stack.socket}?virtual_host=0"
        plain = stack.spawn("no_op", [*command, "--without-mingle", "--without-gossip"], BENCH_BROKER=broker)
        for _ in range(rounds):
            run = jobs(stack, page, count, threads, processes)
            with tempfile.TemporaryDirectory(dir=stack.folder) as folder:
                disk = pairs(Path(folder), threads)
            by_many, many_cpu = many(stack, page, count, processes)
            with tempfile.TemporaryDirectory(dir=stack.folder) as folder:
                many_disk = pairs(Path(folder), AT_ONCE)
            plain_cost = no_op(stack, count, processes["redis"], psutil.Process(plain.pid))
            measured = replace(run, no_op=plain_cost, pairs=disk, many=by_many, many_cpu=many_cpu)
            runs.append(replace(measured, many_pairs=many_disk))
    return runs


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.queue_cost", description="What the queue itself costs.")
    parser.add_argument("--jobs", type=int, default=200, help="in each round (default 200)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="that submit, with one client (default 1)")
    parser.add_argument("--document", type=Path, help="a document of one page (default: a drawn image)")
    raw.add_option(parser)
    given = parser.parse_args()
    runs = measure(given.document, given.jobs, given.rounds, given.threads)
    rows = [(str(i), r.total, r.no_op, r.total / r.no_op, r.submitting) for i, r in enumerate(runs, 1)]
    table.show(("round", "ms CPU a job", "a no-op task", "ratio", "submitting alone"), rows)
    speeds = [(str(i), r.submissions, r.pairs, r.submissions / r.pairs) for i, r in enumerate(runs, 1)]
    table.show(("round", "submissions/s", "synced files/s", "ratio"), speeds)
    speeds = [(str(i), r.many, r.many_pairs, r.many / r.many_pairs) for i, r in enumerate(runs, 1)]
    table.show(("round", "submit_many/s", f"synced files/s, {AT_ONCE} threads", "ratio"), speeds)
    costs: list[tuple[str | float, ...]]
    costs = [(str(i), *(r.many_cpu.get(name, 0.0) for name in ("client", "redis"))) for i, r in enumerate(runs, 1)]
    table.show(("round", "submit_many: ms CPU of the client", "of Redis"), costs)
    where = list(dict.fromkeys(name for r in runs for name in r.cpu))
    table.show(("process", "ms CPU a job"), [(name, median(r.cpu.get(name, 0.0) for r in runs)) for name in where])
    calls = sorted(runs[-1].commands.items(), key=lambda item: -item[1])
    table.show(("Redis command", "a job"), [(name, calls_a_job) for name, calls_a_job in calls if calls_a_job >= 0.5])
    print(f"\n{given.jobs} jobs a round, threads that submit: {given.threads}, two children for documents; {machine()}")
    raw.write(given.out, [asdict(r) for r in runs])


if __name__ == "__main__":
    main()
