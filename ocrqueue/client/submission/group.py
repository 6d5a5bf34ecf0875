"""Submits documents as a group: each is stored in the spool, then all are recorded in Redis in one round trip.

Much of what a submission costs is the same for one document and for several: the look at how full the queue is, the
sync of the folder of jobs, the round trips to Redis.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ocrqueue import names
from ocrqueue.client.queue import Queue
from ocrqueue.client.submission import Order, Request, Upload, opened
from ocrqueue.errors import InvalidOptions, QueueUnavailable, StorageError, Unconfirmed, UnknownJob
from ocrqueue.ledger import Creation, Message, NewerRecord, Source, Step, fingerprint
from ocrqueue.ledger.connection import WritesRefused, reaching
from ocrqueue.ledger.records import job_note
from ocrqueue.states import MessageKind
from ocrqueue.storage import rounds
from ocrqueue.storage.spool import JOB

_PAUSES = (0.2, 1.0, 3.0)  # seconds between two attempts to create records, if the answer was lost


@dataclass(slots=True)
class _Entry:
    """A document of a group, and how far it is."""

    request: Request
    order: Order = field(init=False)  # of the request; missing if its parameters are wrong
    source: Source | None = None  # in the spool; None: it is not stored, or the job existed already
    error: Exception | None = None
    step: Step | None = None  # that created its record

    @property
    def job(self) -> str:
        """The id of the job."""
        return self.request.job


class Group:
    """Documents that are submitted to a queue together. An error of one is none of the others."""

    def __init__(self, queue: Queue, check: Callable[[Order], None]) -> None:
        """`check` raises what speaks against a submission; it is not called again for the same demand."""
        self._queue = queue
        self._ledger, self._spool = queue.ledger, queue.spool
        self._check = check
        self._checked: set[tuple[object, ...]] = set()

    def submit(self, requests: Sequence[Request]) -> list[Exception | None]:
        """Submit the documents. Returns for each the error that `Client.submit` raises, or None.

        Once the queue or the spool has refused a document, those after it are not tried and have the same error. A
        process that is killed before job.json is stored leaves a folder that the housekeeping removes. A process that
        is killed later leaves a job: the reconciler creates missing records, and sends missing messages.
        """
        entries = [_Entry(request) for request in requests]
        try:
            with self._spool.together():
                self._store_all(entries)
        except BaseException as e:
            for one in entries:
                if one.source is not None:
                    self._drop(one)
            if not isinstance(e, StorageError):
                raise
            return [one.error or e for one in entries]  # perhaps no name has reached the disk
        self._record([one for one in entries if one.source is not None])
        return [one.error for one in entries]

    # -- the spool -------------------------------------------------------------------------------------------------
    def _store_all(self, entries: list[_Entry]) -> None:
        for number, one in enumerate(entries):
            try:
                self._store_new(one)
            except (QueueUnavailable, StorageError) as e:
                for refused in entries[number:]:
                    refused.error = e
                return
            except Exception as e:  # noqa: BLE001 -- the caller gets it
                one.error = e

    def _store_new(self, one: _Entry) -> None:
        """Store the document, unless its key's job exists already or something speaks against the submission."""
        parameters = one.request.parameters
        one.order = order = Order.parse(parameters)
        with (
            opened(one.request.source, parameters.get("name"), seekable=order.key is not None) as upload,
            reaching(self._queue.settings),
        ):
            if order.key is not None and self._is_known(one.job, upload, order):
                self._restore(one.job, upload, order)
                return
            demand = order.options.lang, order.options.engine, order.submitter.webhook, upload.url
            if demand not in self._checked:
                self._check(replace(order, url=upload.url))
                self._checked.add(demand)
            try:
                one.source = self._store(one.job, upload, order)
            except BaseException:
                self._drop(one)
                raise

    def _store(self, job: str, upload: Upload, order: Order) -> Source:
        """Write the job's folder. job.json is last, because the reconciler creates a job for each job.json."""
        with self._spool.together():
            source = upload.store(self._spool, job, self._queue.settings.max_bytes)
            if order.password:
                self._spool.put_password(job, order.password)
            self._spool.write_json(job, JOB, job_note(job, source, order.options, time.time(), order.submitter))
        return source

    def _drop(self, one: _Entry) -> None:
        """Remove the folder of a document that is not submitted. With a key, it may be another submission's, too."""
        if one.order.key is None:
            with suppress(StorageError):
                self._spool.drop(one.job)

    def _is_known(self, job: str, upload: Upload, order: Order) -> bool:
        """Whether the key's job exists. Raises InvalidOptions if that job has another document or other options."""
        made_of = self._queue.redis.hget(names.job_key(job), "fingerprint")
        if made_of is None:
            return False
        if made_of != fingerprint(upload.as_source(), order.options):
            raise self._other(job, order)
        return True

    def _restore(self, job: str, upload: Upload, order: Order) -> None:
        """Store the document of an existing job again if the spool has lost it."""
        with suppress(UnknownJob, NewerRecord):
            record = self._ledger.job(job)
            file = record.source.file
            if upload.url is None and file is not None and not self._spool.exists(job, file):
                self._store(job, upload, replace(order, submitter=record.submitter))

    def _other(self, job: str, order: Order) -> InvalidOptions:
        """The error for a key that was used for another document or with other options."""
        record = self._ledger.job(job)
        ours, theirs = order.options.given(), record.options.given()
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        what = f"other options ({', '.join(differing)})" if differing else f"another document ({record.source.name})"
        return InvalidOptions(f"the key {order.key!r} belongs to job {record.id} with {what}; use another key")

    # -- Redis -----------------------------------------------------------------------------------------------------
    def _record(self, stored: list[_Entry]) -> None:
        """Create the records of documents that are stored, then send their messages."""
        self._create(stored)
        messages: list[Message] = []
        for one in stored:
            if one.step is not None:
                try:
                    with reaching(self._queue.settings):
                        messages += self._messages(one, one.step)
                except Exception as e:  # noqa: BLE001 -- the caller gets it
                    one.error = e
        if messages:
            self._queue.send(messages)

    def _messages(self, one: _Entry, step: Step) -> list[Message]:
        """What follows from the record. Raises InvalidOptions if another submission used the key at the same time."""
        if not step.reply["same"]:
            record = self._ledger.job(one.job)
            note = job_note(one.job, record.source, record.options, record.created, record.submitter)
            self._spool.write_json(one.job, JOB, note)
            raise self._other(one.job, one.order)
        if step.reply["created"]:
            return step.messages
        # an earlier attempt created the job, but its answer, with the message, was lost; two messages do no harm
        return [Message(MessageKind.DOCUMENT, one.job, (), None, int(step.reply["priority"]), step.reply["name"])]

    def _create(self, stored: list[_Entry]) -> None:
        """Create the records; try again if an answer was lost, which is safe if a record exists already.

        The folder of a document that Redis refuses is removed. A document of which no attempt was answered gets the
        error Unconfirmed. Its folder stays, because the record may exist, and the reconciler creates it if not.
        """
        waiting = [(one, creation) for one in stored if (creation := self._creation(one))]
        for pause in (*_PAUSES, None):
            answers = self._attempt([creation for _, creation in waiting])
            waiting = [
                pair
                for pair, answer in zip(waiting, answers, strict=True)
                if not self._is_settled(pair[0], answer, is_last=pause is None)
            ]
            if pause is None or not waiting:
                return
            time.sleep(pause)

    def _creation(self, one: _Entry) -> Creation | None:
        """The record of a stored document. With an error of the spool the document gets that error instead.

        Redis may have lost the job that used this key before; its folder is still there.
        """
        assert one.source is not None
        try:
            round = 1 if one.order.key is None else rounds.renew_round(self._spool, one.job)
        except Exception as e:  # noqa: BLE001 -- the caller gets it
            one.error = e
            return None
        return Creation(
            one.job,
            one.source,
            one.order.options,
            round,
            one.order.submitter,
            open_pages=self._queue.settings.max_queued_pages,
        )

    def _attempt(self, creations: list[Creation]) -> Sequence[Step | Exception]:
        try:
            with reaching(self._queue.settings):
                return self._ledger.create_all(creations)
        except Exception as e:  # noqa: BLE001 -- the caller gets it
            return [e] * len(creations)

    def _is_settled(self, one: _Entry, answer: Step | Exception, is_last: bool) -> bool:
        """Note what became of a record. Returns False if the next attempt is to create it."""
        if isinstance(answer, Step):
            one.step = answer
        elif not isinstance(answer, QueueUnavailable):
            self._take_back(one)
            one.error = answer
        else:
            refused = isinstance(answer.__cause__, WritesRefused)
            was_lost = isinstance(answer.__cause__, RedisConnectionError | RedisTimeoutError)
            if (not was_lost or (refused and is_last)) and self._take_back(one):
                one.error = answer
            elif is_last:
                one.error = Unconfirmed(one.job, answer.message)
                one.error.__cause__ = answer
        return one.step is not None or one.error is not None

    def _take_back(self, one: _Entry) -> bool:
        """Remove the folder of a job that Redis refused. Returns False if Redis has the job or does not answer."""
        try:
            self._ledger.job(one.job)
        except UnknownJob:
            with suppress(StorageError):
                if one.order.key is None:
                    self._spool.drop(one.job)
                else:  # the document may belong to another submission with this key, too
                    self._spool.drop_note(one.job)
            return True
        except (RedisError, NewerRecord):
            pass
        return False
