"""Bytes of Redis at the peak, beside the design's bounds: 1 KB a page for documents of ten pages and more, 4 KB a job.

`python -m bench.redis_memory [--jobs N] [--pages N] [--out FILE]`. First many one-page jobs that wait, with no worker;
then one long document, read by two children with an engine that takes no time. Both on a server of their own, counted
from the empty server on: connections, buffers and scripts included.
"""

import json
import os
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from redis import Redis

from bench import table
from bench.stack import machine, private_stack, start_workers
from ocrqueue import names
from tests.support import numbered
from tests.support.harness import NUMBERED, Stack

EVERY = 0.05  # seconds between two samples
EVERY_KEYS = 1.0  # seconds between two samples by kind of key
KINDS = (  # in this order: the first that fits
    ("records of jobs", f"{names.PREFIX}job:"),
    ("workers", f"{names.PREFIX}worker"),
    ("workers", f"{names.PREFIX}child:"),
    ("lists of the ledger", names.PREFIX),
    ("queues", "documents"),
    ("queues", "pages."),
    ("queues", "maintenance"),
    ("results of Celery", "celery-task-meta-"),
)
PER_JOB, PER_PAGE = 4096, 1024  # bytes that the design allows


@dataclass(slots=True)
class Memory:
    """What one of the two cases took, in bytes above the empty server."""

    idle: int = 0  # before the first submission, workers connected
    peak: int = 0  # largest sample of `used_memory`
    after: int = 0  # when all was done
    keys: dict[str, int] = field(default_factory=dict)  # by kind, where their sum was largest
    first: float = 0.0  # seconds from submit to the first page
    seconds: float = 0.0  # from submit to the end


def used(redis: Redis) -> int:
    """Bytes that the server has in use."""
    return int(redis.info("memory")["used_memory"])


def by_kind(redis: Redis) -> dict[str, int]:
    """Bytes of the keys, by kind: MEMORY USAGE with every element counted."""
    found: Counter[str] = Counter()
    keys = list(redis.scan_iter(count=1000))
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.memory_usage(key, samples=0)
        for key, size in zip(keys, pipe.execute(), strict=True):
            found[_kind(key)] += size or 0  # gone meanwhile
    return dict(found)


def _kind(key: str) -> str:
    if key.startswith(f"{names.PREFIX}job:") and key.endswith(":pages"):
        return "pages of jobs"
    return next((kind for kind, prefix in KINDS if key.startswith(prefix)), "other (Celery's)")


@contextmanager
def sampled(redis: Redis, empty: int, memory: Memory) -> Iterator[None]:
    """Keeps the peak of what Redis uses while the block runs."""
    ending = threading.Event()

    def sample() -> None:
        due = 0.0
        while not ending.wait(EVERY):
            memory.peak = max(memory.peak, used(redis) - empty)
            if time.monotonic() > due:
                keys = by_kind(redis)
                memory.keys = max(memory.keys, keys, key=lambda kinds: sum(kinds.values()))
                due = time.monotonic() + EVERY_KEYS

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield
    finally:
        ending.set()
        sampler.join()


def waiting_jobs(count: int) -> Memory:
    """So many one-page jobs, submitted while no worker runs."""
    with private_stack() as stack:
        empty, memory = used(stack.redis), Memory()
        client = stack.client()
        started = time.monotonic()
        for n in range(count):
            client.submit(numbered.document(1, salt=n), name=f"scan-{n:04}.tif")
        memory.seconds = time.monotonic() - started
        memory.peak = memory.after = used(stack.redis) - empty
        memory.keys = by_kind(stack.redis)
        return memory


def long_document(pages: int) -> Memory:
    """One document of so many pages, read by two children."""
    with private_stack() as stack, tempfile.TemporaryDirectory() as folder:
        empty, memory = used(stack.redis), Memory()
        start_workers(stack, NUMBERED)
        memory.idle = used(stack.redis) - empty
        path = write_pdf(Path(folder) / "long.pdf", pages)
        with sampled(stack.redis, empty, memory):
            _read(stack, path, pages, memory)
        memory.after = used(stack.redis) - empty
        return memory


def _read(stack: Stack, path: Path, pages: int, memory: Memory) -> None:
    started = time.monotonic()
    job = stack.client().submit(path, dpi=72, fresh=True)
    next(job.pages())
    memory.first = time.monotonic() - started
    status = job.wait()
    memory.seconds = time.monotonic() - started
    if status.ok != pages:
        raise SystemExit(f"{status.ok} of {pages} pages were read; see why before trusting these numbers")


def write_pdf(path: Path, pages: int) -> Path:
    """Numbered pages as a PDF: its pages are found at once, those of a long TIFF one after another."""
    images = [numbered.page_image(n) for n in range(1, pages + 1)]
    images[0].save(path, "PDF", save_all=True, append_images=images[1:], resolution=72)
    return path


def show(jobs: int, waiting: Memory, pages: int, long: Memory) -> None:
    """The two cases, then the keys by kind."""
    header = ("bytes of Redis", "idle", "peak", "after", "peak each", "bound each", "seconds")
    table.show(
        header,
        [
            _row(f"{jobs:,} jobs of a page, waiting", jobs, waiting, PER_JOB),
            _row(f"a document of {pages:,} pages", pages, long, PER_PAGE + PER_JOB // pages),
        ],
    )
    kinds = sorted(waiting.keys | long.keys)
    rows = [(kind, waiting.keys.get(kind, 0), long.keys.get(kind, 0)) for kind in kinds]
    table.show(("keys at the peak, bytes", "waiting jobs", "long document"), rows)
    print(f"\nfirst of {pages:,} pages {long.first:.2f} s after submit, {pages / long.seconds:.1f} pages/s")


def _row(case: str, count: int, memory: Memory, bound: int) -> list[table.Cell]:
    each = round(memory.peak / count)
    return [case, memory.idle, memory.peak, memory.after, each, bound, memory.seconds]


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.redis_memory", description="Bytes of Redis at the peak.")
    parser.add_argument("--jobs", type=int, default=1000, help="one-page jobs that wait (default 1000)")
    parser.add_argument("--pages", type=int, default=2000, help="of the long document, up to 4095 (default 2000)")
    parser.add_argument("--out", type=Path, help="write the raw numbers there, as JSON")
    given = parser.parse_args()
    waiting, long = waiting_jobs(given.jobs), long_document(given.pages)
    show(given.jobs, waiting, given.pages, long)
    print(machine(os.cpu_count()))
    if given.out:
        given.out.write_text(json.dumps({"waiting": asdict(waiting), "long": asdict(long)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
