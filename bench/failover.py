"""Redis that fails over while clients submit jobs and wait for them: seconds without progress, and what was lost.

`python -m bench.failover [--kinds KIND...] [--times N] [--seed N]`. Two servers with three sentinels, or behind a name;
real workers with a test engine of 0.05 s a page; clients that submit and wait all the time. The kinds of faults:

- `kill`: the primary is killed (`kill -9`), and comes back when the other server has taken its place
- `failover`: the sentinels demote the primary, and cut its connections (`SENTINEL FAILOVER`)
- `coordinated`: the same, but the primary waits for its replica first (`SENTINEL FAILOVER ... COORDINATED`)
- `demotion`: a name leads to the other server, which is made the primary; connections to the old one stay open

Replication is asynchronous, and nothing waits for the replica before a fault. The exit code is 1 if a job or a page is
lost.
"""

import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from bench.support import table
from bench.support.stack import RECONCILE_SECONDS
from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.errors import OcrError, QueueUnavailable
from ocrqueue.ledger import LEASE
from tests.support import numbered
from tests.support.faults import eventually
from tests.support.harness import running
from tests.support.replicated import Led, Replicated, Sentinelled

KINDS: dict[str, type[Replicated]] = {
    "kill": Sentinelled,
    "failover": Sentinelled,
    "coordinated": Sentinelled,
    "demotion": Led,
}
ENGINE = "quick"
PAGES = 20  # of a job
CLIENTS = 3  # threads that each submit a job, wait for it, and so on
BETWEEN = (3.0, 6.0)  # seconds of undisturbed work before a fault
PATIENCE = 400.0  # seconds for all jobs to end after the last fault; one that Redis lost is taken up after 120


@dataclass(slots=True)
class Load:
    """Clients that submit and wait until they are stopped."""

    stack: Replicated
    salt: Iterator[int]
    jobs: list[Job] = field(default_factory=list)  # all that were confirmed
    seconds: list[float] = field(default_factory=list)  # until each job that ended had ended
    refused: int = 0  # submissions that failed, because there was no primary for too long
    lost: list[str] = field(default_factory=list)  # jobs that a waiting client was told not to exist
    ending: Event = field(default_factory=Event)

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Clients submit and wait inside this block."""
        threads = [Thread(target=self._submit) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.ending.set()
            for thread in threads:
                thread.join(PATIENCE + 60)

    def _submit(self) -> None:
        client = self.stack.client()
        while not self.ending.is_set():
            try:
                job = client.submit(numbered.document(PAGES, salt=next(self.salt)), engine=ENGINE)
            except QueueUnavailable:
                self.refused += 1
                continue
            self.jobs.append(job)
            began = time.monotonic()
            try:
                job.wait(timeout=PATIENCE)
                self.seconds.append(time.monotonic() - began)
            except OcrError as e:
                self.lost.append(f"{job.id}: {e}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the faults of one kind led to."""

    waits: list[tuple[float, float]]  # seconds from each fault to the new primary, and to the next page that is done
    jobs: list[float]  # seconds that a client waited for each
    refused: int  # submissions
    read_twice: int  # pages, as the engine counts them
    pages_lost: int  # that are missing in results
    jobs_lost: int

    def row(self, kind: str) -> list[table.Cell]:
        """The row of the table."""
        primary, page = (sorted(column) for column in zip(*self.waits, strict=True))
        return [
            kind, len(page), median(primary), primary[-1], median(page), page[-1], len(self.jobs), median(self.jobs),
            max(self.jobs), self.refused, self.read_twice, self.pages_lost, self.jobs_lost,
        ]  # fmt: skip


def measure(kind: str, times: int, rng: random.Random) -> Outcome:
    """Cause faults of a kind."""
    with running(KINDS[kind], OCR_LEASE_SECONDS=f"{LEASE:.0f}", OCR_RECONCILE_SECONDS=str(RECONCILE_SECONDS)) as stack:
        reads = stack.folder / "reads"
        reads.touch()
        stack.start_documents(children=1)
        stack.start_worker(engines=f"{ENGINE}=tests.support.engines:Quick", children=2, TEST_ENGINE_READS=str(reads))
        stack.start_beat(RECONCILE_SECONDS)
        load = Load(stack, iter(range(rng.randrange(10**6), 10**9)))
        with load.submitting():
            waits = []
            for number in range(times):
                time.sleep(rng.uniform(*BETWEEN))
                waits.append(one_fault(stack, kind))
                print(
                    f"{kind} {number + 1}: {waits[-1][0]:.2f} s to the new primary, {waits[-1][1]:.2f} s to a page",
                    flush=True,
                )
        return judged(stack, load, waits, reads)


def one_fault(stack: Replicated, kind: str) -> tuple[float, float]:
    """Cause a fault. Returns the seconds to the new primary and to the next page, once a replica is in step."""
    old, new = ("redis", "second") if stack.is_in_step("second") else ("second", "redis")
    began = time.monotonic()
    if isinstance(stack, Led):
        stack.swap(old, new)
    elif isinstance(stack, Sentinelled) and kind != "kill":
        stack.failover(coordinated=kind == "coordinated")
    else:
        stack.kill(old)
    server = stack.servers[new]
    eventually(lambda: server.info("replication")["role"] == "master", 90, 0.02)
    promoted, before = time.monotonic() - began, pages_done(server)
    eventually(lambda: pages_done(server) > before, 120, 0.02)
    done = time.monotonic() - began
    if kind == "kill":
        stack.start_server(old)
    eventually(lambda: any(map(stack.is_in_step, stack.servers)), 60)  # on a busy machine, sentinels may change back
    return promoted, done


def pages_done(server: Redis) -> int:
    """Pages that have ended, as the ledger counts them."""
    figures = cast("dict[str, str]", server.hgetall(names.FIGURES))
    return sum(int(count) for field, count in figures.items() if field.startswith(f"pages {ENGINE} "))


def judged(stack: Replicated, load: Load, waits: list[tuple[float, float]], reads: Path) -> Outcome:
    """Compare what was read, and what is in the results, with what was submitted."""
    wanted = [numbered.text(number) for number in range(1, PAGES + 1)]
    pages_lost, jobs_lost = 0, len(load.lost)
    for line in load.lost:
        print(f"lost: {line}")
    client = stack.client()
    for job in load.jobs:
        try:
            found = [page["text"] for page in client.job(job.id).result()["pages"]]
        except OcrError as e:
            print(f"no result: {job.id}: {e}")
            jobs_lost += 1
            continue
        pages_lost += sum(one != two for one, two in zip(found, wanted, strict=True))
    with suppress(RedisError):
        print("jobs that Redis lost and workers took up:", stack.text("documents").count("Redis had lost it"))
    known = len(client.jobs()) * PAGES  # with those whose submission was not confirmed
    return Outcome(waits, load.seconds, load.refused, reads.stat().st_size - known, pages_lost, jobs_lost)


def main() -> int:
    """Measure and print. Returns 1 if a page or job was lost."""
    parser = ArgumentParser(description="Redis that fails over under load.")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--times", type=int, default=10, help="number of faults of each kind")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    found = {kind: measure(kind, given.times, rng) for kind in given.kinds}
    header = [
        "fault", "times", "s to the new primary, median", "worst", "s to the next page, median", "worst", "jobs",
        "s until a job has ended, median", "worst", "submissions refused", "pages read twice", "pages lost",
        "jobs lost",
    ]  # fmt: skip
    table.show(header, [outcome.row(kind) for kind, outcome in found.items()])
    return 1 if any(outcome.pages_lost or outcome.jobs_lost for outcome in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
