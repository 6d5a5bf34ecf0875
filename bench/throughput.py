"""Throughput of the queue with two children over the bare engine in two plain processes, on the same pages.

`python -m bench.throughput FOLDER [--class CLASS]... [--pages N] [--rounds N] [--out FILE]`. The two sides take turns.
A first pass of the bare side, not counted, fills the disk's cache and shows which documents are slow: both sides get
those first, so that neither ends with one process idle.
"""

import json
import os
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench import bare, corpus, table
from bench.stack import machine, private_stack, start_workers
from ocrqueue.storage.spool import Spool
from tests.support.harness import Stack

CHILDREN = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one side."""

    side: str  # "queue" or "bare"
    pages: int  # read and stored
    seconds: float  # of the clock
    reading: float  # seconds inside the engine's read(), over all pages

    @property
    def speed(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds


def by_queue(stack: Stack, entries: Sequence[corpus.Entry]) -> Run:
    """From the first submission to the end of the last job."""
    client = stack.client()
    started = time.monotonic()
    jobs = [client.submit(entry.file, fresh=True, text_layer="ignore") for entry in entries]
    for statuses in client.follow([job.id for job in jobs]):
        last = statuses
    seconds = time.monotonic() - started
    reading = sum(page["seconds"] for job in jobs for page in job.result()["pages"])
    return Run("queue", sum(status.ok for status in last.values()), seconds, reading)


def by_bare(entries: Sequence[corpus.Entry]) -> tuple[Run, dict[Path, float]]:
    """From the first page to the last; and for each document, the seconds of its mean page."""
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
    """Queue and bare in turn, so many times."""
    _, each = by_bare(entries)
    entries = sorted(entries, key=lambda entry: -each[entry.file])
    runs = []
    with private_stack() as stack:
        start_workers(stack, children=CHILDREN)
        for _ in range(rounds):
            runs += [by_queue(stack, entries), by_bare(entries)[0]]
    return runs


def main() -> None:
    """Measure, and print every raw number."""
    parser = ArgumentParser(prog="python -m bench.throughput", description="Throughput of queue and bare engine.")
    corpus.arguments(parser)
    parser.add_argument("--pages", type=int, default=28, help="about so many pages, of all classes (default 28)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    parser.add_argument("--out", type=Path, help="write the raw numbers there, as JSON")
    given = parser.parse_args()
    entries = corpus.mixed(corpus.load(given.folder, given.classes), given.pages)
    runs = measure(entries, given.rounds)
    rows = [(r.side, r.pages, r.seconds, r.reading, r.speed) for r in runs]
    table.show(("side", "pages", "seconds", "in read()", "pages/s"), rows)
    queue, plain = (median(r.speed for r in runs if r.side == side) for side in ("queue", "bare"))
    print(f"\nmedians: queue {queue:.3f} pages/s, bare {plain:.3f} pages/s, ratio {queue / plain:.3f}")
    print(f"{len(entries)} documents, {CHILDREN} processes a side, one thread each; {machine(os.cpu_count())}")
    if given.out:
        given.out.write_text(json.dumps([asdict(r) for r in runs], indent=1) + "\n")


if __name__ == "__main__":
    main()
