"""Peak memory of Redis, compared with the bounds of the design: 4 KB per job, 1 KB per page of long documents.

`python -m bench.redis_memory [--jobs N] [--pages N] [--out FILE]`. First many one-page jobs wait without a worker. Then
two children read one long document with an engine that takes no time. Each case has a Redis of its own. The memory of
the empty server is subtracted; connections, buffers and scripts are included.
"""

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

from bench.support import raw, table
from bench.support.stack import machine, private_stack, start_workers
from ocrqueue import names
from tests.support import numbered
from tests.support.harness import NUMBERED, Stack

EVERY = 0.05  # seconds between two samples
EVERY_KEYS = 1.0  # seconds between two samples by kind of key
KINDS = (  # (kind, prefix); the first prefix that matches counts
    ("records of jobs", f"{names.PREFIX}job:"),
    ("workers", f"{names.PREFIX}worker"),
    ("workers", f"{names.PREFIX}child:"),
    ("lists of the ledger", names.PREFIX),
    ("queues", "documents"),
    ("queues", "pages."),
    ("queues", "maintenance"),
    ("results of Celery", "celery-task-meta-"),
)
PER_JOB, PER_PAGE = 4096, 1024  # bytes; the bounds of the design


@dataclass(slots=True)
class Memory:
    """The memory of one case in bytes, without that of the empty server."""

    idle: int = 0  # before the first submission, with connected workers
    peak: int = 0  # the largest sample of `used_memory`
    after: int = 0  # when all jobs have ended
    keys: dict[str, int] = field(default_factory=dict)  # {kind of key: bytes}, of the largest sample
    first: float = 0.0  # seconds from submit to the first page
    seconds: float = 0.0  # from submit to the end


def used(redis: Redis) -> int:
    """The memory that the server uses, in bytes."""
    return int(redis.info("memory")["used_memory"])


def by_kind(redis: Redis) -> dict[str, int]:
    """The bytes of all keys by kind, from MEMORY USAGE with all elements."""
    found: Counter[str] = Counter()
    keys = list(redis.scan_iter(count=1000))
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.memory_usage(key, samples=0)
        for key, size in zip(keys, pipe.execute(), strict=True):
            found[_kind(key)] += size or 0  # None: the key no longer exists
    return dict(found)


def _kind(key: str) -> str:
    if key.startswith(f"{names.PREFIX}job:") and key.endswith(":pages"):
        return "pages of jobs"
    return next((kind for kind, prefix in KINDS if key.startswith(prefix)), "other (Celery's)")


@contextmanager
def sampled(redis: Redis, empty: int, memory: Memory) -> Iterator[None]:
    """Record the peak memory of Redis during the block."""
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
    """Submit so many one-page jobs while no worker runs."""
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
    """Read one document with so many pages with two children."""
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
        raise SystemExit(f"{status.ok} of {pages} pages were read: find out why before you use these numbers")


def write_pdf(path: Path, pages: int) -> Path:
    """Write a PDF of numbered pages. A PDF finds a page at once, a TIFF has to search it from the first."""
    images = [numbered.page_image(n) for n in range(1, pages + 1)]
    images[0].save(path, "PDF", save_all=True, append_images=images[1:], resolution=72)
    return path


def show(jobs: int, waiting: Memory, pages: int, long: Memory) -> None:
    """Print the two cases, then the keys by kind."""
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
    parser = ArgumentParser(prog="python -m bench.redis_memory", description="Peak memory of Redis.")
    parser.add_argument("--jobs", type=int, default=1000, help="one-page jobs that wait (default 1000)")
    parser.add_argument("--pages", type=int, default=2000, help="pages of the long document, up to 4095 (default 2000)")
    raw.add_option(parser)
    given = parser.parse_args()
    waiting, long = waiting_jobs(given.jobs), long_document(given.pages)
    show(given.jobs, waiting, given.pages, long)
    print(machine())
    raw.write(given.out, {"waiting": asdict(waiting), "long": asdict(long)})


if __name__ == "__main__":
    main()
