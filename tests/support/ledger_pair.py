"""The ledger and its plain model side by side: every step is done on both, and what comes back is compared."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis as redis_py
from hypothesis.stateful import RuleBasedStateMachine, invariant

from ocrqueue import names
from ocrqueue.errors import PageError
from ocrqueue.ledger import Claim, LastTry, Ledger, Measured, Mending, Outcome, Publication, Source, Step
from ocrqueue.options import Options, select_pages
from ocrqueue.states import MessageKind, Return
from tests.support.ledger_counts import Counts
from tests.support.ledger_model import PlainLedger
from tests.support.ledger_steps import START, dead, dump
from tests.support.plain_job import PlainJob, Sent

Mail = tuple[str, tuple[Any, ...]]  # job, message


class LedgerPair(RuleBasedStateMachine):
    """Both ledgers; the invariant compares what each step leaves behind."""

    def __init__(self, redis: "redis_py.Redis") -> None:
        super().__init__()
        redis.flushdb()
        self.redis = redis
        self.ledger = Ledger(redis, clock=START)
        self.plain = PlainLedger(START)
        self.options: dict[str, Options] = {}
        self.mail: list[Mail] = []  # every message ever sent: one may come late, twice or never
        self.claims: list[tuple[str, str, Claim | None]] = []  # every claim ever given: job, token, pages
        self.tokens = 0
        self.results: dict[str, str] = {}  # by job: the result that was published in this round
        self.sent_messages: list[str] = []  # that publishing an end has sent
        self.counted = Counts()

    # -- helpers ---------------------------------------------------------------------------------------------------
    def token(self) -> str:
        self.tokens += 1
        return f"t{self.tokens}"

    @contextmanager
    def nothing_changes(self, really: bool = True) -> Iterator[None]:
        before = dump(self.redis) if really else None
        yield
        if really:
            assert dump(self.redis) == before

    def same(self, job: str, step: Step, expected: Sent | None) -> None:
        """The step did what the model did, and asks for the same messages."""
        self.counted.look(self.plain)
        assert step.done == (expected is not None)
        assert [(m.kind, *m.args) for m in step.messages] == (expected or [])
        for message in step.messages:
            assert message.job == job
            assert message.name == f"{job}.pdf"
            assert message.priority == names.PRIORITIES[self.options[job].priority]
            structuring = self.plain.jobs[job].structuring
            assert message.version == (names.VERSION if structuring else names.FIRST_VERSION)
            assert message.queue == ("pages.rapidocr" if self.plain.jobs[job].pages else None)
        self.mail += [(job, (m.kind, *m.args)) for m in step.messages]

    def known(self, job: str) -> bool:
        return job in self.plain.jobs

    # -- steps on both sides -----------------------------------------------------------------------------------------
    def create(self, job: str, options: Options, structures: str | None = None) -> None:
        new = not self.known(job)
        with self.nothing_changes(not new):
            step = self.ledger.create(job, Source(f"{job}.pdf", sha256="5"), options, structures=structures)
        if new:
            self.options[job] = options
        assert (step.reply["created"], step.reply["same"]) == (new, options == self.options[job])
        priority = names.PRIORITIES[options.priority]
        self.same(job, step, self.plain.create(job, structures is not None, priority))

    def begin(self, job: str, what: str, round_: int) -> None:
        token = self.token()
        expected = self.plain.begin(job, what, token, round_, alone=False)
        if last := expected is None:
            with self.nothing_changes(), pytest.raises(LastTry):
                self.ledger.begin(job, MessageKind(what), token, round_, alone=False)
            expected = self.plain.begin(job, what, token, round_, alone=True)
        with self.nothing_changes(not expected):
            record = self.ledger.begin(job, MessageKind(what), token, round_, alone=last)
        assert (record is not None) == expected
        if expected:
            self.claims.append((job, token, None))

    def open(self, job: str, token: str, total: int, lanes: int, read: Collection[int] = ()) -> None:
        """`read`: places from 1, of pages that are read already; those beyond the last page do not matter."""
        numbers = select_pages(self.options[job].pages, total)
        known = sorted(i for i in read if i <= len(numbers))
        expected = self.plain.open(job, token, numbers, lanes, [numbers[i - 1] for i in known])
        record = {"total": total, "engine": "rapidocr", "queue": "pages.rapidocr"}
        with self.nothing_changes(expected is None):
            step = self.ledger.open(job, token, len(numbers), lanes, record, dict.fromkeys(known))
        self.same(job, step, expected)

    def refuse(self, job: str, token: str, code: str) -> None:
        expected = self.plain.refuse(job, token, code)
        with self.nothing_changes(expected is None):
            step = self.ledger.refuse(job, token, PageError(code, "it cannot be opened"))
        self.same(job, step, expected)

    def end(self, job: str, round_: int, token: str, missing: list[int]) -> None:
        running = job in self.plain.jobs and self.plain.jobs[job].running
        expected = self.plain.end(job, round_, token, missing)
        with self.nothing_changes():
            outcome = self.ledger.outcome(job, missing) if running else None
        with self.nothing_changes(expected is None):
            step = self.ledger.end(job, round_, token, missing)
        self.same(job, step, expected)
        if expected and running:  # else it had ended before, and this is the same answer once more
            ended = self.ledger.job(job)
            assert outcome == Outcome(ended.state, ended.ok, ended.failed, ended.cancelled)

    def claim(self, job: str, lane: int, serial: int, batch: int, children: int) -> None:
        token = self.token()
        ticket = (job, lane, serial, token, batch, children)
        expected = self.plain.claim(*ticket, alone=False)
        if last := expected is None:
            with self.nothing_changes(), pytest.raises(LastTry):
                self.ledger.claim(*ticket, alone=False)
            expected = self.plain.claim(*ticket, alone=True)
        with self.nothing_changes(not expected):
            claim = self.ledger.claim(*ticket, alone=last)
        assert [(p.number, p.attempts) for p in (claim.pages if claim else ())] == expected
        self.counted.look(self.plain)
        if claim:
            self.claims.append((job, token, claim))

    def finish(self, job: str, claim: Claim, results: dict[int, str | None]) -> None:
        expected = self.plain.finish(job, claim.token, results)
        found = {n: PageError(code, "it is so") if code else Measured(2.0, 0.9) for n, code in results.items()}
        with self.nothing_changes(expected is None):
            step = self.ledger.finish(claim, found)
        self.same(job, step, expected)

    def return_claim(self, job: str, token: str, how: str) -> None:
        expected = self.plain.return_claim(job, token, how)
        with self.nothing_changes(expected is None):
            step = self.ledger.return_claim(job, token, Return(how))
        self.same(job, step, expected)

    def publish(self, job: str, round_: int) -> None:
        expected = self.plain.publish(job, round_)
        end = Publication(f"the end of round {round_}", 60, [("somewhere", f"{job} {round_}")])
        with self.nothing_changes(not expected):
            step = self.ledger.publish(job, round_, end)
        assert step.reply.get("published") == expected
        if expected:
            self.results[job] = end.result
            self.sent_messages.append(f"{job} {round_}")

    def mend(
        self, job: str, wanted: int, idle: bool, documents_idle: bool, patience: int, unserved: int | None = None
    ) -> None:
        known = self.known(job)
        expected = self.plain.mend(job, wanted, idle, documents_idle, patience, unserved)
        with self.nothing_changes(not known):
            step = self.ledger.mend(Mending(job, wanted, idle, documents_idle, patience, unserved))[job]
        assert step is not None
        self.same(job, step, expected if known else None)

    def stop(self, job: str) -> None:
        stops, expected = self.plain.cancel(job)
        with self.nothing_changes(not stops):
            step = self.ledger.cancel(job)
        assert step.reply["cancelled"] == stops
        self.same(job, step, expected)

    def tick(self, seconds: int) -> None:
        self.plain.now += seconds
        self.ledger.clock = self.plain.now

    # -- what holds after every step -----------------------------------------------------------------------------------
    @invariant()
    def both_sides_agree(self) -> None:
        for name, plain in self.plain.jobs.items():
            self.check_job(name, plain)
        plains = self.plain.jobs
        leases = {f"{name} {token}": held.until for name, job in plains.items() for token, held in job.claims.items()}
        assert dict(self.redis.zrange(names.CLAIMS, 0, -1, withscores=True)) == leases
        assert self.ledger.backlog() == self.plain.backlog()
        assert self.ledger.jobs() == sorted(plains, key=lambda name: (plains[name].created, name))
        assert set(self.redis.zrange(names.OPEN, 0, -1)) == {n for n, job in plains.items() if not job.has_ended}
        unconfirmed = {n for n, job in plains.items() if job.has_ended and not job.confirmed}
        assert set(self.redis.zrange(names.UNPUBLISHED, 0, -1)) == unconfirmed
        found = dead(self.ledger)
        assert len(found) == len(set(found))
        assert set(found) == self.plain.dead()
        for name in self.options:
            assert self.redis.get(names.celery_result_key(name)) == self.results.get(name)
        assert self.redis.lrange("somewhere", 0, -1) == self.sent_messages[::-1]
        results = {names.celery_result_key(name) for name in self.results} | {"somewhere"}
        keys = {names.job_key(n) for n in plains} | {names.pages_key(n) for n in plains}
        shared = {names.OPEN, names.JOBS, names.CLAIMS, names.DEAD, names.UNPUBLISHED, names.BACKLOG}
        shared |= {names.COUNTS, names.FIGURES, names.MINUTES, names.WAITING, names.TAKEN, *self.check_waiting()}
        assert set(self.redis.keys()) <= keys | shared | results
        self.counted.check(self.redis, self.plain, self.options)

    def check_waiting(self) -> set[str]:
        """Every job is found whose message may be lost, and none that has ended. Returns the keys that say so."""
        taken = dict(self.redis.zrange(names.TAKEN, 0, -1, withscores=True))
        assert {where: time for where, time in taken.items() if time} == self.plain.taken
        waiting, keys = self.plain.waiting(), set()
        assert set(waiting) <= set(taken)
        for where in taken:
            keys.add(names.sent_key(*where.rsplit(" ", 1)))
            noted = dict(self.redis.zrange(names.sent_key(*where.rsplit(" ", 1)), 0, -1, withscores=True))
            assert all(noted[job] <= sent for job, sent in waiting.get(where, {}).items())
            assert not any(job not in self.plain.jobs or self.plain.jobs[job].has_ended for job in noted)
        return keys

    def check_job(self, name: str, plain: PlainJob) -> None:
        job = self.ledger.job(name)
        assert (job.state, job.round, job.cancelling, job.code) == (
            plain.state,
            plain.round,
            plain.cancelling,
            plain.code,
        )
        assert (job.pages or 0, job.lanes) == (len(plain.pages), plain.width)
        assert (job.ok, job.failed, job.cancelled) == tuple(map(plain.count, ("ok", "failed", "cancelled")))
        assert (job.ended is not None) == plain.has_ended
        assert job.published == (plain.has_ended and (plain.confirmed or plain.published == plain.round))
        pages = list(self.ledger.pages(job))
        assert [(p.number, p.state, p.attempts, p.code) for p in pages] == [
            (p.number, p.state, p.lost, p.code) for p in plain.pages
        ]
        states = Counter(p.state for p in pages)
        assert job.finished + states["open"] + states["claimed"] == len(pages)
        assert not plain.has_ended or not (states["open"] or states["claimed"])
        self.check_claims(name, plain)

    def check_claims(self, name: str, plain: PlainJob) -> None:
        record: dict[str, str] = self.redis.hgetall(names.job_key(name))  # type: ignore[assignment]
        place = {page.number: i for i, page in enumerate(plain.pages, 1)}
        claims, lanes = {}, {}
        for token, held in plain.claims.items():
            numbers = ",".join(str(place[p.number]) for p in held.pages)
            claims[f"claim:{token}"] = f"page {held.lane} {numbers}" if held.what == "page" else held.what
        for i, lane in enumerate(plain.lanes):
            lanes[f"lane:{i}"] = f"{lane.serial} {lane.sent:.3f} {lane.wait} {lane.token or '-'}"
        assert {k: v for k, v in record.items() if k.startswith("claim:")} == claims
        assert {k: v for k, v in record.items() if k.startswith("lane:")} == lanes
        held_pages = [n for what in claims.values() if what.startswith("page") for n in what.split(" ")[2].split(",")]
        assert len(held_pages) == len(set(held_pages)) == plain.count("claimed")
