"""The cost of a run of the reconciler with many open jobs: commands and milliseconds.

`python -m bench.reconciler [--jobs N] [--times N]`. A third of the jobs wait to be opened; the others have ten open
pages and one claim. All jobs are healthy, so that the reconciler only checks them.
"""

import time
from argparse import ArgumentParser
from statistics import median

from redis import Redis

from bench.support import table
from bench.support.stack import RECONCILE_SECONDS, private_stack
from ocrqueue.ledger import Ledger
from ocrqueue.ledger.workers import Worker, announce
from ocrqueue.states import MessageKind
from ocrqueue.steps.lanes import wanted_lanes
from ocrqueue.steps.reconciler import Reconciler
from tests.support import numbered
from tests.support.harness import Stack

CHILDREN, PAGES = 2, 10
QUEUE = "pages.numbered"
RECORD = {"total": PAGES, "engine": "numbered", "model": "none", "revision": "1", "queue": QUEUE}


def fill(stack: Stack, jobs: int) -> None:
    """Create open jobs, and announce a worker that reads them."""
    client = stack.client()
    ledger = Ledger(stack.redis)
    announce(stack.redis, Worker("bench", "here", 1, "1", (QUEUE,), children=CHILDREN), 3600)
    document = numbered.document(PAGES)
    for n in range(jobs):
        job = client.submit(document, engine="numbered").id
        if n % 3:
            ledger.begin(job, MessageKind.DOCUMENT, f"opener{n}")
            ledger.open(job, f"opener{n}", PAGES, wanted_lanes(CHILDREN), RECORD)
            ledger.claim(job, 0, 0, f"reader{n}")


def calls(redis: "Redis") -> tuple[int, int]:
    """The number of scripts that Redis has run, and of all commands, including those in scripts."""
    counts = {name: int(row["calls"]) for name, row in redis.info("commandstats").items()}
    scripts = counts.get("cmdstat_evalsha", 0) + counts.get("cmdstat_eval", 0)
    return scripts, sum(counts.values())


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(description="Cost of the reconciler.")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=10)
    given = parser.parse_args()
    rows: list[list[table.Cell]] = []
    with private_stack() as stack:
        fill(stack, given.jobs)
        run = Reconciler(Ledger(stack.redis), stack.client().spool, RECONCILE_SECONDS, 3600).run
        for name, times in (("the first, which also checks the spool", 1), ("the next ones", given.times)):
            before, taken, sent = calls(stack.redis), [], 0
            for _ in range(times):
                begun = time.perf_counter()
                sent += len(run())
                taken.append((time.perf_counter() - begun) * 1000)
            scripts, every = ((b - a) / times for a, b in zip(before, calls(stack.redis), strict=True))
            rows.append([name, given.jobs, scripts, every, median(taken), max(taken), sent])
    table.show(
        ["run", "open jobs", "scripts a run", "commands a run, those in scripts included", "ms, median", "ms, worst",
         "messages sent"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
