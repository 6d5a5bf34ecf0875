"""Submitting documents and fetching their results.

    from ocrqueue.client import submit

    job = submit("scan.pdf")
    print(job.text())

The client needs Redis and the spool, but no engine. It reads its settings from the environment; see
`ocrqueue.settings`.
"""

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Unpack, cast
from uuid import UUID

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ocrqueue import languages, names
from ocrqueue.client import submission
from ocrqueue.client.job import Job
from ocrqueue.client.queue import Queue
from ocrqueue.client.submission import AnySource, Order, Parameters, Upload
from ocrqueue.client.submission.many import AT_ONCE, Document, Submissions
from ocrqueue.engines.best import announced, best_engine, missing
from ocrqueue.errors import (
    InvalidOptions,
    OcrError,
    QueueFull,
    QueueUnavailable,
    StorageError,
    Unconfirmed,
    UnknownJob,
)
from ocrqueue.ledger import Message, NewerRecord, Source, Step, figures, fingerprint, workers
from ocrqueue.ledger.connection import WritesRefused, reaching
from ocrqueue.ledger.deliveries import MAX_PENDING
from ocrqueue.ledger.records import job_note
from ocrqueue.options import Options
from ocrqueue.states import MessageKind
from ocrqueue.storage import rounds
from ocrqueue.storage.spool import JOB

_MEMORY_SECONDS = 0.5  # for which Redis's memory is not read again: to read it costs as much as the check of the pages
MEMORY_SHARE = 0.8  # share of Redis's memory limit above which submissions are refused
_NEARLY = 20 * AT_ONCE  # pages of room below which documents are submitted one by one; one counts as ten
_PAUSES = (0.2, 1.0, 3.0)  # seconds between two attempts to create a record, if the answer was lost


class Client(Queue):
    """One queue that accepts documents: its Redis and its spool.

    A client connects on first use, and threads can share it.
    """

    _memory: Mapping[str, int] = {}  # of Redis, as it says
    _memory_read = -math.inf  # monotonic time at which it was read
    _room = 0  # pages that the queue took when it was last looked at

    def submit(self, source: AnySource, **parameters: Unpack[Parameters]) -> "Job":
        """Submit a document; see `ocrqueue.client.submit`."""
        return self.submit_as(submission.job_id(parameters.get("key")), source, **parameters)

    def submit_as(self, job: str, source: AnySource, **parameters: Unpack[Parameters]) -> "Job":
        """Submit a document as the job with this id, which comes from `submission.job_id`.

        For callers that need the id even if the submission is interrupted.
        """
        order = Order.parse(parameters)
        with (
            submission.opened(source, parameters.get("name"), seekable=order.key is not None) as upload,
            reaching(self.settings),
        ):
            if order.key is not None and self._is_known(job, upload, order):
                self._restore(job, upload, order)
            else:
                self.check_language(order.options)
                self.check_room(order.submitter.webhook is not None)
                self._put(job, upload, order)
        return Job(job, self)

    def submit_many(
        self, sources: Iterable[AnySource | Document], **parameters: Unpack[Parameters]
    ) -> Submissions[Job]:
        """Submit many documents; see `ocrqueue.client.submit_many`."""
        Order.parse(parameters)

        def find(job: str) -> Job | None:
            return Job(job, self) if self.is_submitted(job) else None

        def submit(job: str, source: AnySource, given: Parameters) -> Job:
            return self.submit_as(job, source, **given)

        return Submissions(submit, sources, parameters, self.at_once, find)

    def at_once(self) -> int:
        """How many documents may be submitted at a time: one if the queue is nearly full, so that the limit holds."""
        return AT_ONCE if self._room > _NEARLY else 1

    def job(self, job: str) -> "Job":
        """Return a handle on the job with this id, without asking Redis. Raises UnknownJob if it is not a UUID."""
        try:
            return Job(str(UUID(job)), self)
        except ValueError:
            raise UnknownJob(f"{job[:80]!r} is not a job's id; give one as `submit.py jobs` shows it") from None

    def is_submitted(self, job: str) -> bool:
        """Whether a submission left a job: in Redis, or in the spool, where the reconciler finds it."""
        try:
            return bool(self.statuses([job]))
        except OcrError:
            with suppress(OcrError):
                return self.spool.exists(job, JOB)
        return False

    def check_room(self, with_webhook: bool = False) -> None:
        """Raise QueueFull if the queue has too many pages or calls of webhooks, or Redis has too little memory left."""
        if why := self._why_full(with_webhook):
            with suppress(RedisError):
                figures.count(self.redis, "refused", QueueFull.code)
            raise QueueFull(why)

    def check_language(self, options: Options) -> None:
        """Raise DocumentError (`language_missing`) if live workers serve engines, but none for the language."""
        if not options.lang:
            return
        reads = announced(workers.live(self.redis))
        if options.engine != "auto":
            reads = {name: read for name, read in reads.items() if name == options.engine}
        wanted = languages.parse(options.lang)
        if reads and best_engine(wanted, reads) is None:
            raise missing(wanted, reads)

    # -- submitting ------------------------------------------------------------------------------------------------
    def _why_full(self, with_webhook: bool) -> str | None:
        """Why the queue takes no submission, and what to do; None if it has room."""
        waiting, limit = self.ledger.backlog(), self.settings.max_queued_pages
        self._room = limit - waiting
        if waiting >= limit:
            return f"{waiting:,} pages are waiting and {limit:,} are allowed; wait, or raise OCR_MAX_QUEUED_PAGES"
        if with_webhook and self.deliveries.pending() >= MAX_PENDING:
            return f"{MAX_PENDING:,} calls of webhooks are pending, the limit; wait, or leave out the webhook"
        if time.monotonic() - self._memory_read > _MEMORY_SECONDS:
            self._memory = cast("Mapping[str, int]", self.redis.info("memory"))
            self._memory_read = time.monotonic()
        memory = self._memory
        if memory["maxmemory"] and memory["used_memory"] >= MEMORY_SHARE * memory["maxmemory"]:
            return (
                f"Redis uses {memory['used_memory'] / memory['maxmemory']:.0%} of its memory limit; "
                "wait until the queue has drained, or raise its maxmemory"
            )
        return None

    def _is_known(self, job: str, upload: Upload, order: Order) -> bool:
        """Whether the key's job exists. Raises InvalidOptions if that job has another document or other options."""
        made_of = self.redis.hget(names.job_key(job), "fingerprint")
        if made_of is None:
            return False
        if made_of != fingerprint(upload.as_source(), order.options):
            raise self._other(job, order)
        return True

    def _restore(self, job: str, upload: Upload, order: Order) -> None:
        """Store the document of an existing job again if the spool has lost it."""
        with suppress(UnknownJob, NewerRecord):
            record = self.ledger.job(job)
            file = record.source.file
            if upload.url is None and file is not None and not self.spool.exists(job, file):
                self._store(job, upload, replace(order, submitter=record.submitter))

    def _other(self, job: str, order: Order) -> InvalidOptions:
        """The error for a key that was used for another document or with other options."""
        record = self.ledger.job(job)
        ours, theirs = order.options.given(), record.options.given()
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        what = f"other options ({', '.join(differing)})" if differing else f"another document ({record.source.name})"
        return InvalidOptions(f"the key {order.key!r} belongs to job {record.id} with {what}; use another key")

    def _put(self, job: str, upload: Upload, order: Order) -> None:
        """Store the document, then create the record, then send the message.

        A process that is killed before job.json is stored leaves a folder that the housekeeping removes. A process
        that is killed later leaves a job: the reconciler creates missing records, and sends missing messages.
        """
        try:
            source = self._store(job, upload, order)
        except BaseException:
            if order.key is None:  # with a key, the folder may belong to another submission, too
                with suppress(StorageError):
                    self.spool.drop(job)
            raise
        # Redis may have lost the job that used this key before; its folder is still there
        round = 1 if order.key is None else rounds.renew_round(self.spool, job)
        step = self._create(job, source, order, round)
        if not step.reply["same"]:  # another submission used the key at the same time
            record = self.ledger.job(job)
            note = job_note(job, record.source, record.options, record.created, record.submitter)
            self.spool.write_json(job, JOB, note)
            raise self._other(job, order)
        if step.reply["created"]:
            self.send(step.messages)
        else:  # an earlier attempt created the job, but its answer, with the message, was lost; two messages do no harm
            self.send([Message(MessageKind.DOCUMENT, job, (), None, int(step.reply["priority"]), step.reply["name"])])

    def _store(self, job: str, upload: Upload, order: Order) -> Source:
        """Write the job's folder. job.json is last, because the reconciler creates a job for each job.json."""
        with self.spool.together():
            source = upload.store(self.spool, job, self.settings.max_bytes)
            if order.password:
                self.spool.put_password(job, order.password)
            self.spool.write_json(job, JOB, job_note(job, source, order.options, time.time(), order.submitter))
        return source

    def _create(self, job: str, source: Source, order: Order, round: int) -> Step:
        """Create the record; try again if the answer was lost, which is safe if the record exists already.

        If Redis refuses, the folder is removed. Raises Unconfirmed if no attempt was answered. The folder stays then,
        because the record may exist, and because the reconciler creates it if not.
        """
        for pause in (*_PAUSES, None):
            try:
                with reaching(self.settings):
                    return self.ledger.create(job, source, order.options, round, order.submitter)
            except QueueUnavailable as e:
                refused = isinstance(e.__cause__, WritesRefused)
                was_lost = isinstance(e.__cause__, RedisConnectionError | RedisTimeoutError)
                if (not was_lost or (refused and pause is None)) and self._take_back(job, order.key):
                    raise
                if pause is None:
                    raise Unconfirmed(job, e.message) from e
            except Exception:
                self._take_back(job, order.key)
                raise
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _take_back(self, job: str, key: str | None) -> bool:
        """Remove the folder of a job that Redis refused. Returns False if Redis has the job or does not answer."""
        try:
            self.ledger.job(job)
        except UnknownJob:
            with suppress(StorageError):
                if key is None:
                    self.spool.drop(job)
                else:  # the document may belong to another submission with this key, too
                    self.spool.drop_note(job)
            return True
        except (RedisError, NewerRecord):
            pass
        return False
