"""Throughput of the queue with two children, and of the bare engine in two plain processes, on the same pages.

`python -m bench.throughput FOLDER [--class CLASS]... [--pages N] [--rounds N] [--out FILE]`. The two sides run in turn.
A first run of the bare engine is not counted. It fills the disk cache and shows which documents are slow. Both sides
get slow documents first, so that no process is idle at the end.
"""

import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench import bare
from bench.support import corpus, raw, table
from bench.support.stack import machine, private_stack, start_workers
from ocrqueue.storage.spool import Spool
from tests.support.harness import Stack

CHILDREN = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one side."""

    side: str  # "queue" or "bare"
    pages: int  # pages that were read and stored
    seconds: float  # elapsed time
    reading: float  # seconds inside the engine's read(), over all pages

    @property
    def speed(self) -> float:
        """Pages per second."""
        return self.pages / self.seconds


def by_queue(stack: Stack, entries: Sequence[corpus.Entry]) -> Run:
    """Run the queue, from the first submission to the end of the last job."""
    client = stack.client()
    started = time.monotonic()
    jobs = [client.submit(entry.file, fresh=True, text_layer="ignore") for entry in entries]
    for statuses in client.follow([job.id for job in jobs]):
        last = statuses
    seconds = time.monotonic() - started
    reading = sum(page["seconds"] for job in jobs for page in job.result()["pages"])
    return Run("queue", sum(status.ok for status in last.values()), seconds, reading)


def by_bare(entries: Sequence[corpus.Entry]) -> tuple[Run, dict[Path, float]]:
    """Run the bare engine, from the first page to the last. Also returns the mean seconds per page of each document."""
    with tempfile.TemporaryDirectory(prefix="ocr-bench-") as folder:
        root = Path(folder) / "spool"
        result = bare.run(bare.pages_of(entries), root, CHILDREN)
        spool = Spool(str(root))
        seconds = {entry.file: _reading(spool, bare.job_of(entry.file)) for entry in entries}
    each = {entry.file: seconds[entry.file] / entry.pages for entry in entries}
    return Run("bare", result.pages, result.seconds, sum(seconds.values())), each


def _reading(spool: Spool, job: str) -> float:
    return float(sum(spool.read_page(job, n)["seconds"] for n in spool.page_numbers(job)))


def measure(entries: Sequence[corpus.Entry], rounds: int) -> list[Run]:
    """Run queue and bare engine in turn, `rounds` times."""
    _, each = by_bare(entries)
    entries = sorted(entries, key=lambda entry: -each[entry.file])
    runs = []
    with private_stack() as stack:
        start_workers(stack, children=CHILDREN)
        for _ in range(rounds):
            runs += [by_queue(stack, entries), by_bare(entries)[0]]
    return runs


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.throughput", description="Throughput of queue and bare engine.")
    corpus.arguments(parser)
    parser.add_argument("--pages", type=int, default=28, help="at most N pages, of all classes (default 28)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    raw.add_option(parser)
    given = parser.parse_args()
    entries = corpus.mixed(corpus.load(given.folder, given.classes), given.pages)
    runs = measure(entries, given.rounds)
    rows = [(r.side, r.pages, r.seconds, r.reading, r.speed) for r in runs]
    table.show(("side", "pages", "seconds", "in read()", "pages/s"), rows)
    queue, plain = (median(r.speed for r in runs if r.side == side) for side in ("queue", "bare"))
    print(f"\nmedians: queue {queue:.3f} pages/s, bare {plain:.3f} pages/s, ratio {queue / plain:.3f}")
    print(f"{len(entries)} documents, {CHILDREN} processes per side, one thread each; {machine()}")
    raw.write(given.out, [asdict(r) for r in runs])


if __name__ == "__main__":
    main()
