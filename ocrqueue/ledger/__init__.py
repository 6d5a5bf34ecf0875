"""The ledger: the state of every job in Redis. Each step is one atomic script; `lua/prelude.lua` describes the keys."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import redis as redis_py

from ocrqueue import names
from ocrqueue.errors import OcrError, PageError, QueueFull, TooManyOpenPages, UnknownJob, WrongState
from ocrqueue.ledger import page_records, scripts
from ocrqueue.ledger.encoding import clean, encoded
from ocrqueue.ledger.figures import Measured
from ocrqueue.ledger.qualities import NONE_READ, Qualities, percent
from ocrqueue.ledger.records import (
    NOBODY,
    Claim,
    ClaimedPage,
    Creation,
    Job,
    Mending,
    Message,
    Other,
    Outcome,
    PageRecord,
    Publication,
    Source,
    Step,
    Submitter,
    Webhook,
    fingerprint,
)
from ocrqueue.ledger.scripts import LastTry, TooLate, unless_refused
from ocrqueue.options import Options
from ocrqueue.states import JobState, MessageKind, Return

__all__ = [
    "MISSING_TEXT", "NOBODY", "Claim", "ClaimedPage", "Creation", "Job", "LastTry", "Ledger", "Measured", "Mending",
    "Message", "NewerRecord", "Other", "Outcome", "PageRecord", "Publication", "Source", "Step", "Submitter", "TooLate",
    "Webhook", "fingerprint", "queue_full",
]  # fmt: skip

LEASE = 45.0  # seconds that a claim lasts unless it is renewed
_AT_ONCE = 200  # records that are read in one transaction, in which Redis does nothing else
ATTEMPTS = 3  # lost claims of a page after which it fails
_COUNTED_AT_ONCE = 500  # jobs that are counted again in one request
MISSING_TEXT = PageError("storage_error", "the text of this page is no longer in the spool; retry the job")


class NewerRecord(WrongState):
    """The job's record was written by a newer version of this project; only a newer worker can work on it."""


class Ledger:
    """The jobs in one Redis. Cheap to create; safe to share between threads.

    `lease` is in seconds. `clock` replaces the server's clock in tests, in seconds since 1970.
    """

    def __init__(
        self, redis: "redis_py.Redis", lease: float = LEASE, attempts: int = ATTEMPTS, clock: float | None = None
    ) -> None:
        self.redis = redis
        self.lease = lease
        self.attempts = attempts
        self.clock = clock
        self._scripts = scripts.load(redis)

    def _argv(self, job: str, args: Sequence[object]) -> list[Any]:
        return [job, "" if self.clock is None else self.clock, self.lease, self.attempts, *args]

    def run(self, script: str, job: str, *args: object) -> dict[str, Any] | None:
        """Run a script of the folder `lua` for a job; None if the job is unknown. Raises NewerRecord."""
        raw = self._scripts[script](keys=scripts.keys(job), args=self._argv(job, args))
        return _decode(job, raw)

    def run_all(self, script: str, calls: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Run a script for several jobs, given as (job, argument, ...), in one round trip; its answers as they come."""
        answers = self._run_each(script, calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _run_each(self, script: str, calls: Iterable[tuple[Any, ...]]) -> list[Any]:
        each = ((scripts.keys(job), self._argv(job, args)) for job, *args in calls)
        return scripts.run_each(self.redis, self._scripts[script], each)

    def _step(self, script: str, job: str, *args: object) -> Step:
        return _stepped(job, self.run(script, job, *args))

    # -- creating a job --------------------------------------------------------------------------------------------
    def create(
        self, job: str, source: Source, options: Options, round: int = 1, submitter: Submitter = NOBODY,
        structures: str | None = None,
    ) -> Step:  # fmt: skip
        """Create a job; if the id exists already, nothing changes.

        `reply["created"]` says whether the job is new, `reply["same"]` whether it has this source and these options.
        `round` is more than 1 for a job that Redis lost in a later round. With `structures`, the id of an ended job,
        the record is a structuring of that job. Raises QueueFull if Redis is at its memory limit.
        """
        (found,) = self.create_all([Creation(job, source, options, round, submitter, structures)])
        if isinstance(found, Exception):
            raise found
        return found

    def create_all(self, creations: Iterable[Creation]) -> list[Step | OcrError]:
        """Create several jobs in one round trip: for each, what `create` returns, or why it was not created.

        That is QueueFull, TooManyOpenPages or NewerRecord. Pages are counted in the same step: of submissions at the
        same time, none passes a limit.
        """
        every = list(creations)
        answers = self._run_each("create", (one.args() for one in every))
        return [_created(one, raw) for one, raw in zip(every, answers, strict=True)]

    # -- the document and its assembly ---------------------------------------------------------------------------
    def begin(self, job: str, what: MessageKind, token: str, round: int = 0, alone: bool = True) -> Job | None:
        """Claim the document or the assembly of a job; None if there is nothing to do, or another claim of it is live.

        `alone` says that the caller's worker does nothing else meanwhile. Raises LastTry if it must be True.
        """
        reply = unless_refused(self.run("begin", job, what, round, token, int(alone)))
        if not reply or not reply["claimed"]:
            return None
        record = iter(reply["record"])
        return Job.parse(job, dict(zip(record, record, strict=True)))

    def open(
        self, job: str, token: str, pages: int, lanes: int, record: Mapping[str, object], read: Qualities = NONE_READ
    ) -> Step:
        """Record that the document is open, and open its pages.

        `pages` is the number of pages asked for. `record` has total, engine, model, revision, queue and source. `read`
        has the qualities of the pages that are read already, by index (the pages asked for from 1), ascending.
        """
        flat = [item for pair in record.items() for item in pair]
        known = json.dumps([(index, percent(quality)) for index, quality in read.items()])
        return self._step("open", job, token, pages, lanes, known, *flat)

    def refuse(self, job: str, token: str, error: PageError) -> Step:
        """Fail a job whose document cannot be opened."""
        return self._step("refuse", job, token, error.code, clean(error.message))

    def end(self, job: str, round: int, token: str, missing: Iterable[int] = ()) -> Step:
        """End an assembled job. `missing` are the numbers of pages that count as ok but have no text; they fail."""
        gone = self._indices(job, missing)
        return self._step("end", job, round, token, gone, MISSING_TEXT.code, MISSING_TEXT.message)

    def outcome(self, job: str, missing: Iterable[int] = ()) -> Outcome:
        """The state and counts with which `end` would end the job. `missing` as for `end`. Changes nothing.

        Raises UnknownJob, NewerRecord.
        """
        reply = self.run("outcome", job, self._indices(job, missing))
        if reply is None:
            raise _unknown(job)
        return Outcome(JobState(reply["state"]), reply["ok"], reply["failed"], reply["cancelled"])

    def _indices(self, job: str, numbers: Iterable[int]) -> str:
        """Page numbers as a JSON list of the ledger's indices."""
        given = list(numbers)
        return json.dumps(list(map(self.job(job).numbers.index, given)) if given else [])

    # -- pages -----------------------------------------------------------------------------------------------------
    def claim(
        self, job: str, lane: int, serial: int, token: str, batch: int = 1, children: int = 1, alone: bool = True
    ) -> Claim | None:
        """Claim up to `batch` open pages for a ticket; None if the ticket is old or no page is open.

        `children` live child processes share the open pages. `alone` says that the caller's worker reads nothing else
        meanwhile. Raises LastTry if it must be True, and TooLate if the time for second readings is over.
        """
        reply = unless_refused(self.run("claim", job, lane, serial, token, batch, children, int(alone)))
        if not reply or not reply["pages"]:
            return None
        record = self.job(job)
        numbers = record.numbers
        pages = zip(reply["pages"], reply["lost"], strict=True)
        return Claim(record, token, tuple(ClaimedPage(numbers.number(i), lost) for i, lost in pages))

    def finish(
        self,
        claim: Claim,
        results: Mapping[int, Measured | PageError | None],
        seconds: float = 0.0,
        other: Other | None = None,
    ) -> Step:
        """Count pages as read, or as failed. None: taken from the cache, and its quality is not known.

        `seconds` is the time for which the claim kept its worker child busy. Poorly read pages wait for the engine
        `other`. If the claim is no longer live, nothing changes.
        """
        numbers = claim.job.numbers
        values = {str(numbers.index(n)): encoded(result, other is not None) for n, result in results.items()}
        more = [json.dumps(asdict(other))] if other else []
        return self._step("finish", claim.job.id, claim.token, json.dumps(values), round(seconds * 1000), *more)

    def keep(self, job: str) -> Step:
        """Keep the first readings of the pages that nobody has begun to read again, if the time for that is over."""
        return self._step("keep", job)

    def return_claim(self, job: str, token: str, reason: Return, error: PageError | None = None) -> Step:
        """End a claim without a result; its pages, or its document, are open again or fail.

        `error` is what the job fails with instead of `worker_lost`, if this was the last attempt to assemble it.
        """
        return self._step("return_claim", job, token, reason, *((error.code, clean(error.message)) if error else ()))

    def renew(self, claims: Iterable[tuple[str, str]]) -> None:
        """Extend the leases of these claims, given as (job, token). A claim that is not live stays so."""
        self.run_all("renew", claims)

    def now(self) -> float:
        """The server's time in seconds since 1970. All leases use it."""
        if self.clock is not None:
            return self.clock
        seconds, microseconds = self.redis.time()
        return seconds + microseconds / 1e6

    # -- by clients -------------------------------------------------------------------------------------------------
    def cancel(self, job: str) -> Step:
        """Cancel a job; `reply["cancelled"]` is False if no page was left to cancel. Raises UnknownJob."""
        return self._known("cancel", job)

    def is_cancelled(self, job: str) -> bool:
        """Whether a client has asked to cancel the job. One Redis command."""
        return bool(self.redis.hexists(names.job_key(job), "cancel"))

    def retry(self, job: str, round: int) -> Step:
        """Begin the round after `round`, in which failed and cancelled pages are read again.

        Removes the Celery result of the round before. Raises UnknownJob, WrongState.
        """
        step = self._known("retry", job, round)
        if not step.reply["retried"]:
            state = JobState(step.reply["state"])
            reason = "it has been retried meanwhile" if state.has_ended else "it has not ended"
            if state == JobState.DONE:
                reason = "every page was read"
            raise WrongState(f"job {job} is {state}: {reason}, so there is nothing to retry")
        return step

    def drop(self, job: str) -> None:
        """Remove the record of a job that has ended, and its Celery result. Raises UnknownJob, WrongState."""
        reply = self._known("drop", job).reply
        if not reply["dropped"]:
            why = "being cancelled: " if reply["cancelling"] else f"{reply['state']}: cancel it first, and "
            raise WrongState(f"job {job} is {why}drop it once it has ended")

    def mend(self, *orders: Mending) -> dict[str, Step | None]:
        """Send messages again that are lost, and adapt the number of lanes. Changes nothing in a healthy job.

        Returns a step for each job, in one round trip; None for a record of a newer version.
        """
        answers = self.run_all("mend", (order.args() for order in orders))
        return {order.job: _mended(order.job, raw) for order, raw in zip(orders, answers, strict=True)}

    def _known(self, script: str, job: str, *args: object) -> Step:
        reply = self.run(script, job, *args)
        if reply is None:
            raise _unknown(job)
        return Step(True, _messages(job, reply), reply)

    # -- publishing the end ----------------------------------------------------------------------------------------
    def publish(self, job: str, round: int, end: Publication) -> Step:
        """Publish the end of a round, if the job is in this round and has ended; else `done` is False.

        `reply["published"]` is False if the end was published before; then nothing changes.
        """
        entries = [item for entry in end.messages for item in entry]
        about = end.result, end.seconds, end.event, end.data, json.dumps(end.error) if end.error else ""
        return self._step("publish", job, round, *about, *entries)

    def confirm_end(self, job: str, round: int) -> None:
        """Record that nothing is left to do to publish the end of a round; until then the reconciler tries again."""
        self.run("confirm_end", job, round)

    # -- figures ---------------------------------------------------------------------------------------------------
    def recount(self) -> None:
        """Count all jobs again in `names.COUNTS` and `names.WAITING`, where workers of older versions count nothing."""
        jobs = self.jobs()
        for start in range(0, len(jobs), _COUNTED_AT_ONCE):
            self.run_all("settle", ((job,) for job in jobs[start : start + _COUNTED_AT_ONCE]))
        self.run("recount", "")

    # -- looking -------------------------------------------------------------------------------------------------
    def job(self, job: str) -> Job:
        """The job's record. Raises UnknownJob, NewerRecord."""
        found = self.records([job])[job]
        if isinstance(found, OcrError):
            raise found
        return found

    def records(self, jobs: Iterable[str]) -> dict[str, Job | OcrError]:
        """The records of several jobs, read in few round trips; instead of a record, its UnknownJob or NewerRecord."""
        found: dict[str, Job | OcrError] = {}
        every = list(jobs)
        for start in range(0, len(every), _AT_ONCE):
            ids = every[start : start + _AT_ONCE]
            with self.redis.pipeline() as pipe:
                for job in ids:
                    pipe.hgetall(names.job_key(job))
                    pipe.zscore(names.UNPUBLISHED, job)
                read = pipe.execute()
            found |= {job: _record(job, *read[2 * i : 2 * i + 2]) for i, job in enumerate(ids)}
        return found

    def pages(self, job: Job) -> Iterator[PageRecord]:
        """The records of all pages asked for, in order. Empty until the document is opened."""
        return page_records.every(self.redis, job)

    def page(self, job: Job, number: int) -> PageRecord | None:
        """The record of one page; None if it was not asked for, or the document is not opened yet."""
        return page_records.one(self.redis, job, number)

    def jobs(self, owner: str | None = None) -> list[str]:
        """The ids of all jobs, or of one owner's, oldest first."""
        return cast("list[str]", self.redis.zrange(names.JOBS if owner is None else names.owner_key(owner), 0, -1))

    def backlog(self, owner: str | None = None) -> int:
        """The number of open pages of all jobs, or of one owner's. A job that is not opened yet counts as ten pages.

        With an owner, it looks at each of the owner's open jobs.
        """
        if owner is None:
            return int(cast("str | None", self.redis.get(names.BACKLOG)) or 0)
        with self.redis.pipeline(transaction=False) as pipe:
            for job in cast("list[str]", self.redis.zinter([names.owner_key(owner), names.OPEN])):
                pipe.hget(names.job_key(job), "weight")
            return sum(int(weight or 0) for weight in pipe.execute())


def _decode(job: str, raw: object) -> dict[str, Any] | None:
    if raw is None:
        return None
    reply: dict[str, Any] = json.loads(cast("str", raw))
    if "newer" in reply:
        raise _newer(job, reply["newer"])
    return reply


def _stepped(job: str, reply: dict[str, Any] | None) -> Step:
    """The step of a script's answer; None: the job is unknown."""
    return Step(reply is not None and not reply.get("stale", False), _messages(job, reply or {}), reply or {})


def _created(one: Creation, raw: object) -> Step | OcrError:
    if isinstance(raw, redis_py.exceptions.OutOfMemoryError):
        full = QueueFull("Redis has reached its memory limit; wait until the queue has drained, or raise it")
        full.__cause__ = raw
        return full
    if isinstance(raw, Exception):
        raise raw
    try:
        reply = _decode(one.job, raw) or {}
    except NewerRecord as e:
        return e
    if reply.get("refused") == "queue":
        return queue_full(reply["open"], one.open_pages or 0)
    if reply.get("refused"):
        return TooManyOpenPages(one.submitter.owner or "", reply["open"], one.submitter.open_pages or 0)
    return _stepped(one.job, reply)


def queue_full(waiting: int, allowed: int) -> QueueFull:
    """The error of a submission while so many pages wait."""
    return QueueFull(f"{waiting:,} pages are waiting and {allowed:,} are allowed; wait, or raise OCR_MAX_QUEUED_PAGES")


def _mended(job: str, raw: object) -> Step | None:
    try:
        return _stepped(job, _decode(job, raw))
    except NewerRecord:
        return None


def _record(job: str, record: Mapping[str, str], unpublished: object) -> Job | OcrError:
    """The job of a record as Redis returned it, or why there is none."""
    if record and int(record["v"]) > names.VERSION:
        return _newer(job, int(record["v"]))
    return Job.parse(job, record, unpublished is not None) if record else _unknown(job)


def _unknown(job: str) -> UnknownJob:
    return UnknownJob(f"no job {job}: see `submit.py jobs` for those that are known")


def _newer(job: str, version: int) -> NewerRecord:
    return NewerRecord(f"job {job} has a record of version {version}; this program reads {names.VERSION}: upgrade it")


def _messages(job: str, reply: Mapping[str, Any]) -> list[Message]:
    if not reply.get("messages"):
        return []
    about = reply.get("queue") or None, int(reply["priority"]), reply.get("name") or "", int(reply["version"])
    return [Message(MessageKind(kind), job, tuple(args), *about) for kind, *args in reply["messages"]]
