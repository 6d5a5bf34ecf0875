"""The time until a page of a killed worker is claimed again, with the default lease.

`python -m bench.kills [--times N] [--stacks N] [--seed N]`. The worker is killed with `kill -9` at a random moment
while it reads a page, and restarted at once under the same name; nothing else is queued. Several stacks run at the same
time, because they wait most of the time. The exit code is 1 if a page took more than 75 s.
"""

import random
import signal
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import cast

from bench.support import table
from bench.support.stack import RECONCILE_SECONDS
from ocrqueue import names
from ocrqueue.ledger import LEASE
from tests.support import numbered
from tests.support.faults import Supervised, eventually, supervised

BOUND = 75.0  # seconds
ENGINE = "slow"
PAGES = 60  # of half a second each; more than are read before the kill


def claims(stack: Supervised, job: str) -> dict[str, str]:
    """The claimed pages of a job: {page: token of its claim}."""
    record = cast("dict[str, str]", stack.redis.hgetall(names.job_key(job)))
    return {v.split(" ")[2]: k for k, v in record.items() if k.startswith("claim:") and v.startswith("page ")}


def kill(stack: Supervised, rng: random.Random) -> tuple[float, float]:
    """Kill the worker. Returns the seconds until the page is claimed again, and until it is counted."""
    job = stack.client().submit(numbered.document(PAGES, salt=rng.randrange(10**9)), engine=ENGINE)
    eventually(lambda: job.status().ok, 60)
    time.sleep(rng.uniform(0, RECONCILE_SECONDS))
    held = eventually(lambda: claims(stack, job.id), 30, 0.01)
    stack.strike("worker", signal.SIGKILL)
    killed = time.monotonic()
    ((page, token),) = held.items()
    before = job.status().ok
    eventually(lambda: claims(stack, job.id).get(page, token) != token, 200, 0.05)
    claimed = time.monotonic() - killed
    eventually(lambda: job.status().ok > before, 60, 0.05)
    counted = time.monotonic() - killed
    job.cancel()
    job.wait(timeout=60)
    return claimed, counted


def kills(times: int, seed: int) -> list[tuple[float, float]]:
    """Kill the worker of a new stack `times` times."""
    rng = random.Random(seed)
    with supervised(OCR_LEASE_SECONDS=str(round(LEASE)), OCR_RECONCILE_SECONDS=str(RECONCILE_SECONDS)) as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines=f"{ENGINE}=tests.support.engines:Slow")
        stack.start_beat(RECONCILE_SECONDS)
        stack.supervise()
        return [kill(stack, rng) for _ in range(times)]


def main() -> int:
    """Measure and print. Returns 1 if a page waited too long."""
    parser = ArgumentParser(description="The time from a kill to the next claim.")
    parser.add_argument("--times", type=int, default=20, help="number of kills")
    parser.add_argument("--stacks", type=int, default=5, help="stacks that run at the same time")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    shares = [len(range(i, given.times, given.stacks)) for i in range(given.stacks)]
    with ThreadPoolExecutor(given.stacks) as pool:
        seeds = range(given.seed, given.seed + given.stacks)
        found = [pair for part in pool.map(kills, shares, seeds) for pair in part]
    claimed, counted = (sorted(column) for column in zip(*found, strict=True))
    table.show(
        ["kills", "lease, s", "s until claimed again, median", "worst", "s until counted, median", "worst"],
        [[len(found), round(LEASE), median(claimed), claimed[-1], median(counted), counted[-1]]],
    )
    return 1 if claimed[-1] > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
