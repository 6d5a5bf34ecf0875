"""Random faults while documents are read. Then the faults stop, and every page must be accounted for.

`python -m bench.chaos [--seconds N | --faults N] [--seed N] [--lease N] [--no-reconciler] [--unchecked-claims]`

Jobs of 1 to 50 pages with known text are submitted to a fast test engine while processes are killed (`kill -9`) or
suspended for seconds, and connections are cut. In the end each job must be in a final state, and each page must be
counted once with its text. A page may only fail if three faults hit its claims. The last two flags turn off parts that
this depends on; then the run must fail. The exit code is 1 if it fails.
"""

import random
import signal
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

from redis.exceptions import RedisError

from bench.support import table
from ocrqueue import names
from ocrqueue.client import Client, Job
from ocrqueue.errors import JobTimeout, OcrError
from tests.support import numbered
from tests.support.faults import Relay, Supervised, send_all, supervised

ENGINES = {"quick": "quick=tests.support.engines:Quick", "steady": "steady=tests.support.engines:Steady"}
READERS = ("one", "two")  # workers with one child each: one takes over the pages of the other
HEAL_SECONDS = 180.0  # time for all open jobs to end after the last fault
BETWEEN = (0.1, 0.9)  # seconds from one fault to the next
OPEN_JOBS = 4  # number of open jobs at a time
CLASSES = (
    "child killed", "worker killed", "family killed", "worker stopped", "documents killed", "documents stopped",
    "redis killed", "redis stopped", "beat killed", "cut",
)  # fmt: skip
HARMLESS_TO_PAGES = {"documents killed", "documents stopped", "beat killed"}
HARMLESS_TO_DOCUMENTS = {"child killed", "worker killed", "family killed", "worker stopped", "beat killed"}


@dataclass(slots=True)
class Fault:
    """A fault, and the claims that it hit."""

    kind: str  # one of `CLASSES`
    at: float  # seconds since the run began
    held: set[tuple[str, str]] = field(
        default_factory=set
    )  # claims at this time: (job, page or "document" or "assemble")
    mended: float | None = None  # seconds until every page of these claims was counted; None: not yet


@dataclass(slots=True)
class Chaos:
    """One run."""

    stack: Supervised
    relay: Relay  # between the processes and Redis
    plan: "Plan"
    rng: random.Random
    jobs: list[tuple[Job, int]] = field(default_factory=list)  # (job, number of pages)
    faults: list[Fault] = field(default_factory=list)  # all so far
    started: float = field(default_factory=time.monotonic)  # on the monotonic clock
    deck: list[str] = field(default_factory=list)  # classes of faults that this round still needs
    waiting: list[tuple[Fault, float]] = field(default_factory=list)  # (fault, its time) whose pages are open
    blind: list[Fault] = field(default_factory=list)  # faults while Redis did not answer
    last_held: set[tuple[str, str]] = field(default_factory=set)  # the claims that Redis reported last

    def run(self) -> None:
        """Submit jobs and cause faults as long as the plan says."""
        while self.plan.goes_on(len(self.faults), time.monotonic() - self.started):
            self._submit()
            self._look()
            time.sleep(self.rng.uniform(*BETWEEN))
            self._break()
        self._look()

    # -- jobs --------------------------------------------------------------------------------------------------------
    def _submit(self) -> None:
        client = self.stack.client()
        with suppress(OcrError, RedisError):  # Redis may not answer: then there is no job
            while len(client.ledger.redis.zrange(names.OPEN, 0, -1)) < OPEN_JOBS:
                pages = self.rng.randint(1, self.plan.most_pages)
                document = numbered.document(pages, salt=len(self.jobs))
                self.jobs.append((client.submit(document, engine=self.plan.engine), pages))

    # -- faults ------------------------------------------------------------------------------------------------------
    def _break(self) -> None:
        if not self.deck:  # each class once per round, in random order
            self.deck = self.rng.sample(self.plan.classes, len(self.plan.classes))
        kind = self.deck.pop()
        if len(self.faults) % 2 or self.plan.aimed:
            self._wait_for_pages()
        fault = Fault(kind, time.monotonic() - self.started)
        self.faults.append(fault)
        self.waiting.append((fault, time.monotonic()))
        self._note(fault)
        self._do(fault)
        self._note(fault)

    def _wait_for_pages(self) -> None:
        """Wait until every worker reads a page, at most 5 seconds."""
        end = time.monotonic() + 5
        while sum(page.isdigit() for _, page in self._held() or ()) < len(READERS) and time.monotonic() < end:
            time.sleep(0.01)

    def _note(self, fault: Fault) -> None:
        """Record the claims that a fault hit. If Redis does not answer: the claims before, and those after."""
        held = self._held()
        if held is None:
            fault.held |= self.last_held
            self.blind.append(fault)
            return
        for one in (fault, *self.blind):
            one.held |= held
        self.blind.clear()

    def _held(self) -> set[tuple[str, str]] | None:
        """(job, page) of the current claims; None if Redis does not answer."""
        found = set()
        try:
            for member in self.stack.redis.zrange(names.CLAIMS, 0, -1):
                job, token = str(member).split(" ")
                what = str(self.stack.redis.hget(names.job_key(job), f"claim:{token}") or "")
                if what:
                    found.add((job, what.rsplit(" ", maxsplit=1)[-1]))
        except RedisError:
            return None
        self.last_held = found
        return found

    def _do(self, fault: Fault) -> None:
        name, _, what = fault.kind.partition(" ")
        reader = self.rng.choice(READERS)
        name = reader if name in ("worker", "child", "family") else name
        if fault.kind == "cut":
            self.relay.cut(lambda _: self.rng.random() < 0.7)
            return
        family = self.stack.family(name)
        send_all(family, signal.SIGSTOP)  # so that its claims do not change while they are recorded
        if name != "redis":
            self._note(fault)
        if what == "stopped":
            self._stay_suspended(fault)
        else:  # children of a killed worker finish their pages
            hit = {"child killed": family[1:2], "family killed": family}.get(fault.kind, family[:1])
            send_all(hit, signal.SIGKILL)
        send_all(family, signal.SIGCONT)

    def _stay_suspended(self, fault: Fault) -> None:
        """Wait up to two and a half leases; with `outstayed` until other workers have read the pages."""
        if not self.plan.outstayed:
            time.sleep(self.rng.uniform(0.5, 2.5 * self.plan.lease))
            return
        end = time.monotonic() + 60
        while any(self._is_open(*page) for page in fault.held) and time.monotonic() < end:
            time.sleep(0.05)

    # -- checks -----------------------------------------------------------------------------------------------------
    def _look(self) -> None:
        """Record how long it took until the pages that a fault hit were counted."""
        if self.blind:
            self._note(self.blind[0])
        still = []
        for fault, since in self.waiting:
            try:
                open_pages = any(self._is_open(job, page) for job, page in fault.held)
            except (OcrError, RedisError):
                open_pages = True
            if open_pages:
                still.append((fault, since))
            else:
                fault.mended = time.monotonic() - since
        self.waiting = still

    def _is_open(self, job: str, page: str) -> bool:
        if not page.isdigit():
            return not self.stack.client().ledger.job(job).pages
        value = self.stack.redis.hget(names.pages_key(job), page)
        return value is not None and str(value)[0] in "co"

    def heal(self) -> Iterator[str]:
        """Wait for all jobs, without further faults; yields what is wrong."""
        end = time.monotonic() + self.plan.heal_seconds
        while not self.stack._answers() and time.monotonic() < end:
            time.sleep(0.1)
        client = self.stack.client()
        for job, pages in self.jobs:
            while time.monotonic() < end + 1:
                self._look()
                with suppress(JobTimeout):
                    job.wait(timeout=1)
                    break
            yield from self._verify(client, job, pages)
        for name in (names.CLAIMS, names.OPEN):
            if left := self.stack.redis.zcard(name):
                yield f"stuck: {left} in {name}"
        if backlog := int(self.stack.redis.get(names.BACKLOG) or 0):
            yield f"counted twice or never: {backlog} pages of backlog are left"

    def _verify(self, client: Client, job: Job, pages: int) -> Iterator[str]:
        status = job.status()
        if not status.has_ended:
            yield f"stuck: job {job.id} is {status.state}: {status.ok}+{status.failed} of {pages}"
            return
        record = client.ledger.job(job.id)
        counts = (record.ok, record.failed, record.cancelled)
        if record.pages is None:
            yield from (f"{line}: {record.code}: {record.message}" for line in self._dead(job.id, ["document"]))
            return
        if sum(counts) != pages or record.pages != pages:
            yield f"counted twice or never: job {job.id} has {counts} of {pages}"
        if status.state == "failed":
            yield from self._dead(job.id, ["assemble"] if record.ok else range(1, pages + 1))
            return
        found = job.result()["pages"]
        if [p["page"] for p in found] != list(range(1, pages + 1)):
            yield f"lost: job {job.id} has {len(found)} of {pages} pages"
        for page in found:
            if page["state"] == "ok" and page["text"] != numbered.text(page["page"]):
                yield f"wrong text: job {job.id} page {page['page']}"
        yield from self._dead(job.id, [p["page"] for p in found if p["state"] != "ok"])

    def _dead(self, job: str, failed: Iterable[int | str]) -> Iterator[str]:
        for what in failed:
            harmless = HARMLESS_TO_PAGES if isinstance(what, int) else HARMLESS_TO_DOCUMENTS
            hits = sum((job, str(what)) in f.held for f in self.faults if f.kind not in harmless)
            if hits < 3:
                yield f"dead without three faults: job {job} {what} ({hits})"

    # -- report -----------------------------------------------------------------------------------------------------
    def report(self, wrong: list[str], heal_seconds: float) -> None:
        """Print the tables."""
        count = Counter(f.kind for f in self.faults)
        hit = Counter(f.kind for f in self.faults if any(page.isdigit() for _, page in f.held))
        times = {
            kind: sorted(f.mended for f in self.faults if f.kind == kind and f.held and f.mended is not None)
            for kind in CLASSES
        }
        rows: list[list[table.Cell]] = [
            [kind, count[kind], hit[kind], *(_seconds(f(times[kind])) if times[kind] else "-" for f in (median, max))]
            for kind in CLASSES
        ]
        every = sorted(t for kind in CLASSES for t in times[kind])
        rows.append(["all", count.total(), hit.total(), *(_seconds(f(every)) if every else "-" for f in (median, max))])
        table.show(["fault", "drawn", "while pages were read", "s until counted, median", "worst"], rows)
        ended = [self.stack.client().ledger.job(j.id) for j, _ in self.jobs]
        print(
            f"\n{len(self.jobs)} jobs, {sum(p for _, p in self.jobs)} pages: {sum(j.ok for j in ended)} read, "
            f"{sum(j.failed for j in ended)} dead; {_kinds(wrong)}; restarts: "
            f"{', '.join(f'{n} {c}' for n, c in sorted(self.stack.restarts.items()))}; "
            f"{time.monotonic() - self.started:.0f} s in all, {heal_seconds:.0f} of them to heal"
        )


def _seconds(value: float) -> str:
    return f"{value:.1f}"


def _kinds(wrong: list[str]) -> str:
    count = Counter(line.partition(":")[0] for line in wrong)
    return ", ".join(f"{count[kind]} {kind}" for kind in ("lost", "counted twice or never", "stuck", "wrong text", *[
        kind for kind in count if kind.startswith("dead")
    ]))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run."""

    seed: int  # of the random numbers
    goes_on: Callable[[int, float], bool]  # (number of faults, seconds) so far -> whether there are more faults
    classes: Sequence[str] = CLASSES  # of faults
    engine: str = "quick"  # a key of `ENGINES`
    most_pages: int = 50  # of a job
    aimed: bool = False  # all faults, not only every second, occur while all workers read
    outstayed: bool = False  # a suspended process continues only when other workers have read its pages
    lease: int = 4  # OCR_LEASE_SECONDS
    heal_seconds: float = HEAL_SECONDS  # time for all open jobs to end
    reconciler: bool = True  # False: lost messages are not sent again
    checked: bool = True  # False: `finish` counts a page without a live claim


def chaos(plan: Plan) -> list[str]:
    """Run and print a report. Returns what is wrong."""
    limits = {"OCR_PAGE_SECONDS": "60", "OCR_MAX_TASKS_PER_CHILD": "500"}
    with supervised(OCR_LEASE_SECONDS=str(plan.lease), **limits) as stack:
        relay = stack.relay()
        stack.env |= {"REDIS_URL": relay.url} | ({} if plan.checked else {"TEST_UNCHECKED_CLAIMS": "1"})
        stack.start_documents(children=1, OCR_WORKER_ENGINES=ENGINES[plan.engine])
        for name in READERS:
            stack.start_worker(name, engines=ENGINES[plan.engine])
        if plan.reconciler:
            stack.start_beat()
        stack.supervise()
        run = Chaos(stack, relay, plan, random.Random(plan.seed))
        run.run()
        healing = time.monotonic()
        wrong = list(run.heal())
        run.report(wrong, time.monotonic() - healing)
        return wrong


def main() -> int:
    """Run. Returns 1 if something is wrong."""
    parser = ArgumentParser(description="Random faults while documents are read.")
    parser.add_argument("--seconds", type=float, default=60, help="duration of the faults")
    parser.add_argument("--faults", type=int, help="number of faults instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lease", type=int, default=4, help="OCR_LEASE_SECONDS")
    parser.add_argument("--heal", type=float, default=HEAL_SECONDS, help="time for all open jobs to end")
    parser.add_argument("--no-reconciler", action="store_true")
    parser.add_argument("--unchecked-claims", action="store_true")
    given = parser.parse_args()

    def goes_on(faults: int, seconds: float) -> bool:
        return faults < int(given.faults) if given.faults else seconds < float(given.seconds)

    plan = Plan(
        given.seed,
        goes_on,
        lease=given.lease,
        heal_seconds=given.heal,
        reconciler=not given.no_reconciler,
        checked=not given.unchecked_claims,
    )
    wrong = chaos(plan)
    print("\n".join(wrong[:50]))
    print("FAILED" if wrong else "everything is accounted for")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
