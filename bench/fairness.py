"""The duration of a one-page job while a long job runs, in page times.

`python -m bench.fairness [--pages N] [--times N]`. A page of the test engine takes two seconds; two children read. A
page time is the time that one child needs for one page of the long job, including the overhead of the queue.
"""

import sys
import time
from argparse import ArgumentParser
from statistics import median

from bench.support import table
from bench.support.stack import private_stack, start_workers
from ocrqueue.client import Job
from tests.support import numbered
from tests.support.harness import Stack, eventually

ENGINE = "steady"
CHILDREN = 2
BOUND = 3.0  # page times; the limit for the slowest job


def short_jobs(stack: Stack, times: int) -> list[float]:
    """Seconds from submit to the end of one-page jobs, one after another."""
    taken = []
    for n in range(times):
        document = numbered.document(1, salt=n)
        begun = time.monotonic()
        stack.client().submit(document, engine=ENGINE).wait(timeout=60)
        taken.append(time.monotonic() - begun)
    return taken


def read(job: Job) -> tuple[float, int]:
    """The time on the monotonic clock, and the number of pages that have been read."""
    return time.monotonic(), job.status().ok


def main() -> int:
    """Measure and print. Returns 1 if a short job took too long."""
    parser = ArgumentParser(description="The duration of one-page jobs while a long job runs.")
    parser.add_argument("--pages", type=int, default=2000, help="of the long job")
    parser.add_argument("--times", type=int, default=20, help="short jobs")
    given = parser.parse_args()
    with private_stack() as stack:
        start_workers(stack, f"{ENGINE}=tests.support.engines:Steady", CHILDREN)
        long = stack.client().submit(numbered.document(given.pages), engine=ENGINE)
        eventually(lambda: long.status().ok >= 2 * CHILDREN, 60)
        start, before = read(long)
        taken = short_jobs(stack, given.times)
        end, after = read(long)
        assert not long.status().has_ended, "the long job ended too early: give it more --pages"
        long.cancel()
    page = (end - start) * CHILDREN / (after - before + given.times)
    times = [seconds / page for seconds in taken]
    table.show(
        ["short jobs", "pages of the long job", "page time, s", "median, page times", "worst, page times"],
        [[len(times), given.pages, page, median(times), max(times)]],
    )
    return 1 if max(times) >= BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
