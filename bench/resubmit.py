"""The time of a second submission of the same documents, whose pages all come from the cache.

`python -m bench.resubmit FOLDER [--class CLASS]... [--pages N] [--rounds N] [--out FILE]`.
Submits the documents to a private stack, waits for all jobs, and repeats this `--rounds` times.
"""

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench.support import corpus, raw, table
from bench.support.stack import machine, private_stack, start_workers
from ocrqueue.client import Client

CHILDREN = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One submission of all documents."""

    pages: int  # pages that were read
    cached: int  # of them from the cache
    seconds: float  # from the first submission to the end of the last job
    submitting: float  # of them until the last submission
    texts: str  # of all pages, in order


def run(client: Client, entries: Sequence[corpus.Entry]) -> Run:
    """Submit all documents and wait for all jobs."""
    started = time.monotonic()
    jobs = [client.submit(entry.file) for entry in entries]
    submitting = time.monotonic() - started
    for statuses in client.follow([job.id for job in jobs]):
        last = statuses
    seconds = time.monotonic() - started
    pages = [page for job in jobs for page in job.result()["pages"]]
    return Run(
        sum(status.ok for status in last.values()),
        sum(page["cached"] for page in pages),
        seconds,
        submitting,
        "\f".join(page["text"] for page in pages),
    )


def measure(entries: Sequence[corpus.Entry], rounds: int) -> list[Run]:
    """The first run, and so many further runs."""
    with private_stack(OCR_CACHE_MAX_GB="2") as stack:
        start_workers(stack, children=CHILDREN)
        return [run(stack.client(), entries) for _ in range(1 + rounds)]


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.resubmit", description="A second submission of the same documents.")
    corpus.arguments(parser)
    parser.add_argument("--pages", type=int, default=0, help="at most N pages, of all classes (default: all)")
    parser.add_argument("--rounds", type=int, default=2, help="submissions after the first (default 2)")
    raw.add_option(parser)
    given = parser.parse_args()
    entries = corpus.load(given.folder, given.classes)
    entries = corpus.mixed(entries, given.pages) if given.pages else entries
    first, *again = runs = measure(entries, given.rounds)
    rows = [(str(i), r.pages, r.cached, r.seconds, r.submitting) for i, r in enumerate(runs, 1)]
    table.show(("submission", "pages", "from the cache", "seconds", "of them submitting"), rows)
    second = median(r.seconds for r in again)
    share, each = second / first.seconds, second / first.pages * 1000
    print(f"\nagain: {second:.2f} s, {share:.2%} of the first, {each:.0f} ms per page")
    print(f"texts the same: {'yes' if all(r.texts == first.texts for r in again) else 'NO'}")
    print(f"{len(entries)} documents, {CHILDREN} children, one thread each; {machine()}")
    raw.write(given.out, [{k: v for k, v in asdict(r).items() if k != "texts"} for r in runs])


if __name__ == "__main__":
    main()
