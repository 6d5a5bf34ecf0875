"""A one-page job beside a long one: how long it takes, in page times.

`python -m bench.fairness [--pages N] [--times N]`. A page of the test engine takes two seconds; two children read. A
page time is what one page of the long job takes one child meanwhile, with all that the queue adds to it.
"""

import sys
import time
from argparse import ArgumentParser
from statistics import median

from bench import table
from bench.stack import private_stack, start_workers
from ocrqueue.client import Job
from tests.support import numbered
from tests.support.harness import Stack, eventually

ENGINE = "steady"
CHILDREN = 2
BOUND = 3.0  # page times, that the worst may take


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
    """When it is, and how many pages have been read."""
    return time.monotonic(), job.status().ok


def main() -> int:
    """Measure and print; 1 where a short job took too long."""
    parser = ArgumentParser(description="a one-page job beside a long one")
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
        assert not long.status().has_ended, "the long job ended first: give it more --pages"
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
