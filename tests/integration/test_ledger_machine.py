"""All steps of the ledger in any order, beside the plain model; then everything has to come to an end.

LEDGER_EXAMPLES=2000 runs that many random examples instead of the few fixed ones.
"""

import os
from collections import Counter
from collections.abc import Callable

import pytest
import redis as redis_py
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from ocrqueue import names
from ocrqueue.errors import PageError, UnknownJob, WrongState
from ocrqueue.ledger import Claim
from ocrqueue.options import Options
from tests.support.ledger_pair import LedgerPair, Mail
from tests.support.ledger_steps import dump

JOBS = ("a", "b", "c")
CODES = ("engine_error", "too_large", "internal_error")
RESULTS = st.sampled_from((None, None, None, *CODES, "left out"))
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "0"))


class LedgerMachine(LedgerPair):
    """Messages that are late, doubled or lost, owners that die or come back, and all that a person may ask for."""

    def some_job(self, data: st.DataObject) -> str:
        """Mostly one that is known."""
        known = sorted(self.plain.jobs)
        return data.draw(st.sampled_from(known if known and data.draw(st.integers(0, 7)) else JOBS))

    def some_claim(self, data: st.DataObject, live: bool) -> tuple[str, str, Claim | None] | None:
        """One that was given at some time, or one that is live."""
        claims = [c for c in self.claims if not live or (self.known(c[0]) and c[1] in self.plain.jobs[c[0]].claims)]
        return data.draw(st.sampled_from(claims[-12:])) if claims else None

    def read(self, data: st.DataObject) -> set[int]:
        """Places of the pages that are in the cache when a document is opened; mostly none."""
        return data.draw(st.sampled_from((set(), set(), {1}, {2, 3}, {1, 4, 5}, set(range(1, 9)))))

    # -- rules -------------------------------------------------------------------------------------------------------
    @initialize(data=st.data())
    def start_with_open_jobs(self, data: st.DataObject) -> None:
        for job in JOBS[:2]:
            self.make(data, job)
            self.begin(job, "document", 0)
            self.open(
                job, self.claims[-1][1], data.draw(st.integers(2, 8)), data.draw(st.integers(1, 4)), self.read(data)
            )

    @rule(data=st.data(), job=st.sampled_from(JOBS))
    def make(self, data: st.DataObject, job: str) -> None:
        pages = data.draw(st.sampled_from((None, None, "2-3,5-", "1-2,4,7")))
        options = Options(pages=pages, priority=data.draw(st.sampled_from(tuple(names.PRIORITIES))))
        self.create(job, options, data.draw(st.sampled_from((None, None, "the job whose structure is found"))))

    @rule(seconds=st.sampled_from((1, 19, 20, 44, 45, 60, 130, 900)))
    def time_passes(self, seconds: int) -> None:
        self.tick(seconds)

    def deliver(self, mail: Mail, batch: int, children: int) -> None:
        job, (kind, *args) = mail
        if kind == "page":
            self.claim(job, *args, batch, children)
        elif kind != "ended":
            self.begin(job, kind, args[0] if args else 0)

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), batch=st.integers(1, 4), children=st.integers(1, 3))
    def new_messages_arrive(self, data: st.DataObject, batch: int, children: int) -> None:
        for mail in data.draw(st.lists(st.sampled_from(self.mail[-6:]), min_size=1, max_size=4)):
            self.deliver(mail, batch, children)

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), batch=st.integers(1, 4), children=st.integers(1, 3))
    def any_message_arrives(self, data: st.DataObject, batch: int, children: int) -> None:
        self.deliver(data.draw(st.sampled_from(self.mail)), batch, children)

    @rule(data=st.data(), lane=st.integers(0, 5), serial=st.integers(0, 6), round_=st.integers(0, 3))
    def odd_messages_arrive(self, data: st.DataObject, lane: int, serial: int, round_: int) -> None:
        job = self.some_job(data)
        self.claim(job, lane, serial, 2, 1)
        self.begin(job, "document", round_)
        self.begin(job, "assemble", round_)

    @rule(data=st.data(), messages=st.integers(3, 12), batch=st.integers(1, 3), result=st.sampled_from((None, *CODES)))
    def a_worker_is_busy_for_a_while(self, data: st.DataObject, messages: int, batch: int, result: str | None) -> None:
        job = self.some_job(data)
        mail = [m for m in self.mail[-8:] if m[0] == job]
        for _ in range(messages):
            if mail and self.known(job):
                self.work(mail, batch, result)
                result = None

    def complete(self, data: st.DataObject, given: tuple[str, str, Claim | None] | None) -> None:
        """The owner of a claim does what it is there for, be the claim live or not."""
        if given is None:
            return
        job, token, claim = given
        plain = self.plain.jobs.get(job)
        if claim:
            results = {p.number: data.draw(RESULTS) for p in claim.pages}
            self.finish(job, claim, {n: code for n, code in results.items() if code != "left out"})
        elif plain is None or plain.state == "queued":
            if data.draw(st.integers(0, 4)):
                self.open(job, token, data.draw(st.integers(2, 8)), data.draw(st.integers(0, 4)), self.read(data))
            else:
                self.refuse(job, token, data.draw(st.sampled_from(("corrupt_file", "storage_error"))))
        else:
            ok = [p.number for p in plain.pages if p.state == "ok"]
            missing = data.draw(st.lists(st.sampled_from(ok), unique=True, max_size=2)) if ok else []
            round_ = data.draw(st.sampled_from((plain.round, plain.round, plain.round - 1)))
            self.end(job, round_, token, missing if data.draw(st.booleans()) else [])

    @precondition(lambda self: any(job.running and job.read_out for job in self.plain.jobs.values()))
    @rule(data=st.data())
    def an_assembly_finds_files_missing(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([n for n, job in self.plain.jobs.items() if job.running and job.read_out]))
        plain, before = self.plain.jobs[job], len(self.claims)
        missing = data.draw(
            st.lists(st.sampled_from([p.number for p in plain.pages]), unique=True, min_size=1, max_size=3)
        )
        self.begin(job, "assemble", plain.round)
        for _, token, _ in self.claims[before:]:
            self.end(job, plain.round, token, missing)

    @rule(data=st.data())
    def an_owner_completes(self, data: st.DataObject) -> None:
        self.complete(data, self.some_claim(data, live=True))

    @rule(data=st.data())
    def another_owner_completes(self, data: st.DataObject) -> None:
        self.complete(data, self.some_claim(data, live=True))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def a_former_owner_completes(self, data: st.DataObject) -> None:
        self.complete(data, self.some_claim(data, live=False))

    @precondition(lambda self: any(job.claims for job in self.plain.jobs.values()))
    @rule(data=st.data(), how=st.sampled_from(("release", "lost", "lost", "timeout")))
    def a_claim_is_given_back(self, data: st.DataObject, how: str) -> None:
        if given := self.some_claim(data, live=True):
            self.return_claim(given[0], given[1], how)

    @precondition(lambda self: any(job.claims for job in self.plain.jobs.values()))
    @rule(seconds=st.sampled_from((10, 45, 60)))
    def leases_expire(self, seconds: int) -> None:
        self.tick(seconds)
        for job, token, _ in list(self.claims):
            if self.known(job) and token in self.plain.jobs[job].claims:
                self.return_claim(job, token, "expired")

    @rule(data=st.data(), times=st.integers(1, 4), batch=st.integers(1, 2))
    def a_worker_is_killed_again_and_again(self, data: st.DataObject, times: int, batch: int) -> None:
        job = self.some_job(data)
        for _ in range(times):
            mail = [m for m in self.mail[-8:] if m[0] == job]
            before = len(self.claims)
            if mail:
                self.deliver(mail[-1], batch, 1)
            for _, token, _ in self.claims[before:]:
                self.return_claim(job, token, "lost")

    @precondition(lambda self: any(job.claims for job in self.plain.jobs.values()))
    @rule(data=st.data(), how=st.sampled_from(("release", "lost", "timeout")))
    def a_job_is_cancelled_and_its_workers_stop(self, data: st.DataObject, how: str) -> None:
        job = data.draw(st.sampled_from([name for name, job in self.plain.jobs.items() if job.claims]))
        self.stop(job)
        for token in list(self.plain.jobs[job].claims):
            self.return_claim(job, token, how)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(("release", "lost", "expired", "timeout")))
    def a_former_claim_is_given_back(self, data: st.DataObject, how: str) -> None:
        job, token, _ = data.draw(st.sampled_from(self.claims))
        if not self.known(job) or token not in self.plain.jobs[job].claims:
            self.return_claim(job, token, how)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def a_step_comes_with_a_claim_of_another_kind(self, data: st.DataObject) -> None:
        given = self.some_claim(data, live=True)
        if given is None:
            return
        job, token, claim = given
        plain = self.plain.jobs[job]
        with self.nothing_changes():
            if claim or plain.state == "running":
                assert not self.ledger.open(job, token, 3, 1, {"total": 3}).done
                assert not self.ledger.refuse(job, token, PageError("corrupt_file", "no")).done
            if claim or plain.state == "queued":
                assert not self.ledger.end(job, plain.round, token).done
            if claim is None:
                assert not self.ledger.finish(Claim(self.ledger.job(job), token, ()), {}).done

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def leases_are_renewed(self, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.sampled_from(self.claims[-12:]), max_size=3))
        self.ledger.renew([(job, token) for job, token, _ in some])
        for job, token, _ in some:
            self.plain.renew(job, token)

    def in_state(self, *states: str) -> list[str]:
        return [name for name, job in self.plain.jobs.items() if job.state in states]

    @precondition(lambda self: self.in_state("queued", "running"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.stop(data.draw(st.sampled_from(self.in_state("queued", "running"))))

    @precondition(lambda self: self.in_state("partial", "failed", "cancelled"))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.in_state("partial", "failed", "cancelled")))
        self.same(job, self.ledger.retry(job, self.plain.jobs[job].round), self.plain.retry(job))
        self.results.pop(job, None)

    @precondition(lambda self: self.in_state("done", "partial", "failed", "cancelled"))
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.in_state("done", "partial", "failed", "cancelled")))
        if data.draw(st.integers(0, 2)) or not self.plain.drop(job):
            return  # most stay: there is more to be done with an ended job
        self.ledger.drop(job)
        self.results.pop(job, None)
        for key, content in dump(self.redis).items():
            assert names.job_key(job) not in key
            if not isinstance(content, str) and key != "somewhere":
                assert not any(entry.split(" ")[0] == job for entry in dict(content))

    @rule(job=st.sampled_from(JOBS))
    def what_cannot_be_now_is_refused(self, job: str) -> None:
        plain = self.plain.jobs.get(job)
        error = WrongState if plain else UnknownJob
        with self.nothing_changes():
            if plain is None or plain.state in ("queued", "running", "done"):
                with pytest.raises(error):
                    self.ledger.retry(job, plain.round if plain else 1)
            if plain is None or not plain.has_ended:
                with pytest.raises(error):
                    self.ledger.drop(job)
            if plain is None:
                with pytest.raises(error):
                    self.ledger.cancel(job)
            elif plain.has_ended:
                assert not self.ledger.cancel(job).reply["cancelled"]

    @rule(data=st.data(), round_=st.integers(1, 3))
    def an_end_is_published(self, data: st.DataObject, round_: int) -> None:
        self.publish(self.some_job(data), round_)

    @rule(data=st.data())
    def confirm_end(self, data: st.DataObject) -> None:
        job = self.some_job(data)
        plain = self.plain.jobs.get(job)
        round_ = data.draw(st.integers(1, 3))
        self.ledger.confirm_end(job, round_)
        if plain and plain.round == round_:
            self.plain.confirm_end(job)

    @rule(
        data=st.data(),
        wanted=st.sampled_from((0, 1, 2, 3, 4, 6)),
        idle=st.booleans(),
        documents_idle=st.booleans(),
        patience=st.sampled_from((0, 60, 900)),
        ago=st.sampled_from((None, 0, 50, 1000)),
    )
    def reconcile(
        self, data: st.DataObject, wanted: int, idle: bool, documents_idle: bool, patience: int, ago: int | None
    ) -> None:
        unserved = None if ago is None else self.plain.now - ago
        self.mend(self.some_job(data), wanted, idle, documents_idle, patience, unserved)

    @rule(lost=st.booleans())
    def the_jobs_are_counted_again(self, lost: bool) -> None:
        if lost:
            self.redis.delete(names.COUNTS)
        self.ledger.recount()

    # -- and in the end ------------------------------------------------------------------------------------------------
    def teardown(self) -> None:
        """All messages are lost and all owners dead; the reconciler and healthy workers bring every job to its end."""
        queue: list[Mail] = []
        for _ in range(120):
            if all(job.has_ended for job in self.plain.jobs.values()):
                break
            self.tick(20)
            for member in self.redis.zrangebyscore(names.CLAIMS, 0, self.plain.now):
                self.heal(queue, lambda m=member: self.return_claim(*m.split(" "), "expired"))
            for job in list(self.plain.jobs):
                idle = not any(kind == "page" for _, (kind, *_) in queue)
                self.heal(queue, lambda j=job, i=idle: self.mend(j, 2, i, not queue, 3600))
            assert max(Counter(queue).values(), default=1) == 1, "a ticket has multiplied"
            for _ in range(6):
                if queue:
                    self.work(queue)
        self.both_sides_agree()
        assert all(job.has_ended for job in self.plain.jobs.values()), "a job is stuck"
        for job in self.plain.jobs:
            self.ledger.drop(job)
        self.redis.delete("somewhere", names.FIGURES, names.MINUTES, names.TAKEN)
        left = dump(self.redis)
        assert {count for field, count in left.pop(names.COUNTS, {}).items() if field != "whole"} <= {"0"}
        assert left == ({names.BACKLOG: "0"} if self.plain.made else {})

    def heal(self, queue: list[Mail], step: Callable[[], None]) -> None:
        before = len(self.mail)
        step()
        queue += [mail for mail in self.mail[before:] if mail[1][0] != "ended"]

    def work(self, queue: list[Mail], batch: int = 2, result: str | None = None) -> None:
        """A healthy worker takes a message and completes what it gives; `result` is that of its first page."""
        job, (kind, *args) = queue.pop(0)
        before = len(self.claims)
        self.deliver((job, (kind, *args)), batch, 1)
        if len(self.claims) == before:
            return
        _, token, claim = self.claims[-1]
        if claim:
            results = {p.number: None if i else result for i, p in enumerate(claim.pages)}
            self.heal(queue, lambda: self.finish(job, claim, results))
        elif kind == "document":
            self.heal(queue, lambda: self.open(job, token, 5, 2))
        else:
            self.heal(queue, lambda: self.end(job, args[0], token, []))


@pytest.mark.thorough
@pytest.mark.hypothesis  # Hypothesis marks only tests that it decorates; `make test-random` selects by this mark
@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_the_ledger_does_what_the_plain_model_does(redis: "redis_py.Redis") -> None:
    run_state_machine_as_test(
        lambda: LedgerMachine(redis),
        settings=settings(
            max_examples=EXAMPLES or 120,
            stateful_step_count=50,
            derandomize=not EXAMPLES and settings.default.derandomize,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
