"""Pages that a second engine reads, with all that may happen meanwhile: no page that was read once is lost or fails.

The plain model of `test_ledger_machine` knows one engine; here the rules that hold with two are checked.
LEDGER_EXAMPLES=2000 runs that many random examples instead of the few fixed ones.
"""

import math
import os
from collections.abc import Mapping

import pytest
import redis as redis_py
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from ocrqueue import names
from ocrqueue.errors import PageError
from ocrqueue.ledger import Claim, LastTry, Ledger, Measured, Other, TooLate
from ocrqueue.states import JobState, PageState, Return
from tests.support.ledger_steps import JOB, START, later, mend, opened, retry

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "0"))
FIRST, SECOND = "rapidocr", "tesseract"
RESULTS = {
    "poor": Measured(1.0, 0.6, 0.3),
    "poorer": Measured(1.0, 0.5, 0.2),
    "good": Measured(1.0, 0.99, 0.97),
    "failed": PageError("engine_error", "no"),
}


class RereadMachine(RuleBasedStateMachine):
    """One job, two engines, and owners of claims that finish, fail, die or come late."""

    def __init__(self, redis: "redis_py.Redis") -> None:
        super().__init__()
        redis.flushall()
        self.ledger = Ledger(redis, clock=START)
        self.claims: dict[str, tuple[Claim, str]] = {}  # by token: those that may live, and the engine that has them
        self.was_read: dict[int, set[str]] = {}  # by page: the engines whose reading counts; they are in the spool
        self.waiting: dict[
            int, float
        ] = {}  # by page: the quality of poor readings, until the other engine has its share
        self.tokens = 0

    @initialize(
        pages=st.integers(1, 6),
        lanes=st.integers(1, 3),
        share=st.sampled_from((0.1, 0.5, 1.0)),
        seconds=st.sampled_from((2, 600)),
    )
    def start(self, pages: int, lanes: int, share: float, seconds: float) -> None:
        opened(self.ledger, pages, lanes)
        self.other = Other(f"pages.{SECOND}", SECOND, "tesseract-5", "7", "digest", share, seconds)
        self.was_read = {page: set() for page in range(1, pages + 1)}

    def record(self, field: str) -> str | None:
        """A field of the job's record."""
        return self.ledger.redis.hget(names.job_key(JOB), field)

    def take(self, lane: int, batch: int) -> None:
        """A worker takes the present ticket of a lane; nothing if there is none."""
        job = self.ledger.job(JOB)
        ticket = self.record(f"lane:{lane}")
        if ticket is None:
            return
        self.tokens += 1
        token, serial = f"t{self.tokens}", int(str(ticket).split(" ")[0])
        try:
            claim = self.ledger.claim(JOB, lane, serial, token, batch, 1)
        except LastTry:
            claim = self.ledger.claim(JOB, lane, serial, token, batch, 1, alone=True)
        except TooLate:
            self.ledger.keep(JOB)
            assert self.record("reopened") == "0", "pages are left"
            return
        if claim:
            assert not claim.job.first or self.ledger.now() < float(str(self.record("until"))), "begun too late"
            assert claim.job.engine == (SECOND if claim.job.first else FIRST) == job.engine
            for page in claim.pages:
                assert self.was_read[page.number] == ({FIRST} if claim.job.first else set())
            self.claims[token] = claim, str(job.engine)

    @rule(lane=st.integers(0, 2), batch=st.integers(1, 2))
    def a_worker_takes_a_ticket(self, lane: int, batch: int) -> None:
        self.take(lane, batch)

    def finish(self, token: str, results: list[str]) -> None:
        claim, engine = self.claims.pop(token)
        found: Mapping[int, Measured | PageError]
        found = {page.number: RESULTS[r] for page, r in zip(claim.pages, results, strict=False) if r in RESULTS}
        if self.ledger.finish(claim, found, other=None if claim.job.first else self.other).done:
            for number, result in found.items():
                if isinstance(result, Measured):
                    self.was_read[number].add(engine)
                    if engine == FIRST and result.may_be_read_better and not claim.job.cancelling:
                        self.waiting[number] = result.quality or 0

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def an_owner_finishes(self, data: st.DataObject) -> None:
        results = data.draw(st.lists(st.sampled_from(("poor", "poorer", "good", "failed", "left out")), min_size=2))
        self.finish(data.draw(st.sampled_from(sorted(self.claims))), results)

    @rule(results=st.lists(st.sampled_from(("poor", "poorer", "good")), min_size=6, max_size=6))
    def healthy_workers_read_once_what_is_open(self, results: list[str]) -> None:
        """Of the first engine's pages those that nobody holds: by chance alone few jobs get to the second engine."""
        for result in results:
            if self.ledger.job(JOB).first:
                break
            self.take(0, 1)
            if f"t{self.tokens}" in self.claims:
                self.finish(f"t{self.tokens}", [result])

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from((Return.LOST, Return.TIMEOUT, Return.RELEASE, Return.EXPIRED)))
    def an_owner_is_gone(self, data: st.DataObject, how: Return) -> None:
        token = data.draw(st.sampled_from(sorted(self.claims)))
        if how == Return.EXPIRED:
            later(self.ledger, 46)
        self.ledger.return_claim(JOB, token, how)  # its owner may not know, and finish later

    @rule(seconds=st.sampled_from((1, 25, 100)))
    def time_passes(self, seconds: float) -> None:
        later(self.ledger, seconds)

    @rule(lanes=st.integers(0, 3), seconds=st.sampled_from((1, 25, 100, 700)))
    def the_reconciler_looks(self, lanes: int, seconds: int) -> None:
        later(self.ledger, seconds)
        since = None if lanes else START
        mend(self.ledger, lanes, queue_empty=True, documents_empty=True, patience=3600, unserved=since)

    @rule()
    def somebody_cancels(self) -> None:
        self.ledger.cancel(JOB)

    def assemble(self) -> None:
        if self.ledger.begin(JOB, "assemble", "assembler", self.ledger.job(JOB).round):
            self.ledger.end(JOB, self.ledger.job(JOB).round, "assembler", [])

    @rule(again=st.booleans())
    def it_is_assembled_and_perhaps_retried(self, again: bool) -> None:
        self.assemble()
        job = self.ledger.job(JOB)
        if again and job.state in (JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED):
            retry(self.ledger)

    @invariant()
    def nothing_that_was_read_is_lost(self) -> None:
        if not self.was_read:
            return
        job = self.ledger.job(JOB)
        pages = {page.number: str(page.state) for page in self.ledger.pages(job)}
        assert pages.keys() == self.was_read.keys()
        for number, state in pages.items():
            assert state in (
                ("ok", "open", "claimed") if self.was_read[number] else ("open", "claimed", "failed", "cancelled")
            )
        assert job.ok == sum(state == "ok" for state in pages.values())
        assert (job.engine == SECOND) == bool(job.first)
        assert job.poorly_read <= sum(map(bool, self.was_read.values()))

    @invariant()
    def the_budget_holds(self) -> None:
        if not self.was_read:
            return
        job = self.ledger.job(JOB)
        most = max(1, math.floor(self.other.share * len(self.was_read)))
        twice = sum(SECOND in engines for engines in self.was_read.values())
        assert twice <= most * job.round
        if job.first and self.waiting:  # since the last step
            given = {page.number for page in self.ledger.pages(job) if page.state == PageState.OPEN}
            assert given <= self.waiting.keys()
            assert len(given) == min(most, len(self.waiting))
            qualities = sorted(self.waiting.values())
            assert sorted(self.waiting[number] for number in given) == qualities[: len(given)]
        if job.first or job.cancelling or job.has_ended:
            self.waiting = {}

    def teardown(self) -> None:
        """All owners are dead; healthy workers bring the job to its end."""
        for _ in range(60):
            if self.ledger.job(JOB).has_ended:
                break
            later(self.ledger, 100)
            for token in list(self.claims):
                self.ledger.return_claim(JOB, token, Return.EXPIRED)
                del self.claims[token]
            mend(self.ledger, 2, queue_empty=True, documents_empty=True, patience=3600)
            for lane in range(3):
                self.take(lane, 2)
            for token in list(self.claims):
                self.finish(token, ["poor", "good"])
            self.assemble()
        job, record = self.ledger.job(JOB), self.ledger.redis.hkeys(names.job_key(JOB))
        assert job.has_ended, "the job is stuck"
        assert (job.engine, job.queue, job.first) == (FIRST, f"pages.{FIRST}", None)
        assert not {"first", "other", "again", "until"} & {str(field) for field in record}
        assert not self.ledger.redis.exists(names.again_key(f"pages.{SECOND}"))
        assert self.ledger.backlog() == 0


@pytest.mark.thorough
@pytest.mark.hypothesis  # Hypothesis marks only tests that it decorates; `make test-random` selects by this mark
@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_no_page_that_was_read_once_is_lost(redis: "redis_py.Redis") -> None:
    run(
        lambda: RereadMachine(redis),
        settings=settings(
            max_examples=EXAMPLES or 60,
            stateful_step_count=30,
            derandomize=not EXAMPLES and settings.default.derandomize,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
