"""A connection to one queue: the status of its jobs, its worker children, and messages to the workers."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from redis.exceptions import RedisError

from ocrqueue import names
from ocrqueue.client import children, listing
from ocrqueue.client.children import Answer, Child, ServedEngine, Unloading, served_engines
from ocrqueue.client.follow import Events, Statuses, follow
from ocrqueue.client.listing import JobFilter, Part
from ocrqueue.client.status import DeadPage, JobStatus, ended_status, noted_status, status_of
from ocrqueue.errors import OcrError, UnknownJob
from ocrqueue.ledger import Job as Record
from ocrqueue.ledger import Ledger, Message, messages, workers
from ocrqueue.ledger.broker import watch_broker
from ocrqueue.ledger.connection import FAILOVER, TIMEOUT, connect, reaching
from ocrqueue.ledger.cursors import members_after
from ocrqueue.ledger.deliveries import Deliveries
from ocrqueue.settings import Shared, shared
from ocrqueue.states import JobState
from ocrqueue.storage import rounds
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.spool import JOB, Spool

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)
_PART = 200  # jobs of a list that are read at a time
_LOST = "Redis has lost this job; workers will take it up again from the spool"


class Queue:
    """One queue: its Redis and its spool. It connects on first use, and threads can share it."""

    def __init__(self, settings: Shared | None = None) -> None:
        self.settings = settings or shared()
        self.redis = connect(self.settings)
        self.ledger = Ledger(self.redis)
        self.deliveries = Deliveries(self.ledger)
        self.spool = Spool(self.settings.spool, self.settings.spool_group)

    def statuses(self, jobs: Collection[str]) -> dict[str, JobStatus]:
        """The status of each job. Raises UnknownJob, QueueUnavailable."""
        return self._look(jobs, {})

    def jobs(self) -> list[JobStatus]:
        """The status of every job in Redis, oldest first. Raises QueueUnavailable."""
        return list(self.each_job())

    def each_job(self, state: JobState | None = None) -> Iterator[JobStatus]:
        """Every job, or those in a state, oldest first. They are read while they are asked for: a list may be long.

        Raises QueueUnavailable.
        """
        with reaching(self.settings):
            yield from listing.all_jobs(self.redis, self._read, JobFilter(state))

    def newest_jobs(self, state: JobState | None = None, name: str | None = None) -> Iterator[JobStatus]:
        """The jobs in this state whose document has `name` in its name, newest first, read while they are asked for.

        None: any. Raises QueueUnavailable.
        """
        part = self.jobs_part(JobFilter(state, name), _PART)
        yield from part.items
        while part.next_cursor:
            part = self.jobs_part(JobFilter(state, name), _PART, part.next_cursor)
            yield from part.items

    def jobs_part(self, wanted: JobFilter, limit: int, cursor: str | None = None) -> Part[JobStatus]:
        """At most `limit` jobs after a cursor, newest first.

        Raises InvalidOptions for a wrong cursor, QueueUnavailable.
        """
        with reaching(self.settings):
            return listing.jobs_part(self.redis, self._read, wanted, limit, cursor)

    def oldest_open(self, count: int) -> list[JobStatus]:
        """At most `count` jobs that have not ended, oldest first. Raises QueueUnavailable."""
        with reaching(self.settings):
            found = self._read(
                [at.member for at in members_after(self.redis, names.OPEN, None, count, newest_first=False)]
            )
        return [status for status in found.values() if isinstance(status, JobStatus)]  # others were dropped meanwhile

    def dead(self) -> list[DeadPage]:
        """All failed pages that a retry might read, oldest first. Raises QueueUnavailable."""
        return list(self.each_dead())

    def each_dead(self) -> Iterator[DeadPage]:
        """These pages, read while they are asked for. Raises QueueUnavailable."""
        with reaching(self.settings):
            yield from listing.all_dead(self.ledger)

    def dead_part(self, limit: int, cursor: str | None = None, owner: str | None = None) -> Part[DeadPage]:
        """At most `limit` of these pages after a cursor, of all jobs or of one owner's.

        Raises InvalidOptions for a wrong cursor, QueueUnavailable.
        """
        with reaching(self.settings):
            return listing.dead_part(self.ledger, limit, cursor, owner)

    def _read(self, jobs: Sequence[str]) -> dict[str, JobStatus | OcrError]:
        """The status of each job for a list; structurings are no jobs of their own."""
        records = self.ledger.records(jobs)
        hidden = {job for job, record in records.items() if isinstance(record, Record) and record.structures}
        found = self.statuses_of({job: record for job, record in records.items() if job not in hidden}, {})
        return found | {job: UnknownJob(f"{job} is no job") for job in hidden}

    def repeat(self, delivery: str) -> None:
        """Send the delivery of a webhook with this id again, from the first try on.

        Raises UnknownDelivery, QueueUnavailable.
        """
        with reaching(self.settings):
            self.send(self.deliveries.repeat(delivery))

    def follow(self, jobs: Collection[str], timeout: float | None = None) -> Iterator[Statuses]:
        """Yield the statuses of these jobs at every change, and at least every two seconds, until all jobs have ended.

        Continues after a restart of Redis. Raises JobTimeout after `timeout` seconds, UnknownJob, QueueUnavailable.
        """
        return follow(Events(self.redis, jobs), jobs, self._look, timeout)

    def send(self, outgoing: list[Message]) -> None:
        """Publish messages. A lost message does no harm, because the reconciler sends it again."""
        self._publish(lambda: messages.send(self._celery, outgoing))

    def ask(self, job: Record, format: str) -> None:
        """Ask the workers to make an output format from the result of a job that has ended."""
        self._publish(lambda: messages.send_format(self._celery, job, format))

    def ask_image(self, job: Record, file: PageImageFile) -> None:
        """Ask the workers to make the image of a page."""
        args: list[int | str | None] = [file.round, file.number, file.width, file.format]
        self._publish(lambda: messages.send_image(self._celery, job, file.name, args))

    def _publish(self, publish: Callable[[], None]) -> None:
        from kombu.exceptions import OperationalError

        try:
            publish()
        except (OperationalError, RedisError, OSError) as e:
            log.warning("a message was not sent (%s); the reconciler will send it", type(e).__name__)

    # -- the workers -----------------------------------------------------------------------------------------------
    def children(self) -> list[Child]:
        """The state of each worker child after its last task. Raises QueueUnavailable."""
        with reaching(self.settings):
            return children.children(self.redis)

    def engines(self) -> list[ServedEngine]:
        """The engines that live workers serve. Raises QueueUnavailable."""
        with reaching(self.settings):
            return served_engines(workers.live(self.redis))

    def unload(self, seconds: float = 330) -> Iterator[Answer]:
        """Ask every worker child to free its models; yield each answer as it comes, for at most `seconds` seconds.

        Raises QueueUnavailable.
        """
        with reaching(self.settings):
            yield from children.unload(self.unloading(), seconds)

    def unloading(self) -> Unloading:
        """Ask every worker child to free its models, and return without waiting. Raises QueueUnavailable."""
        with reaching(self.settings):
            return Unloading(self.redis, self._ask_workers)

    def _ask_workers(self, count: int) -> list[dict[str, Any]]:
        found = self._celery.control.broadcast(names.UNLOAD, reply=True, limit=count, timeout=5)
        return cast("list[dict[str, Any]]", found or [])

    @cached_property
    def _celery(self) -> "Celery":
        from celery import Celery

        watch_broker()
        app = Celery("ocrqueue.client", broker=self.settings.redis, set_as_current=False)
        app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            task_send_sent_event=True,
            broker_connection_timeout=TIMEOUT,
            broker_transport_options={
                "socket_timeout": TIMEOUT,
                "socket_connect_timeout": TIMEOUT,
                "socket_keepalive": True,
                **self.settings.celery_options,
            },
            broker_use_ssl=self.settings.celery_tls,
            task_publish_retry_policy=(
                {"max_retries": 2 * FAILOVER, "interval_start": 0.5, "interval_max": 0.5}
                if self.settings.sentinels
                else {"max_retries": 1, "interval_start": 0.2}
            ),
        )
        return app

    def _look(self, jobs: Collection[str], known: Statuses) -> dict[str, JobStatus]:
        """Like `statuses`, but a job that Redis has lost keeps its `known` status while the spool has its job.json."""
        with reaching(self.settings):
            found = self.statuses_of(self.ledger.records(jobs), known)
        return {job: _or_raise(status) for job, status in found.items()}

    def statuses_of(self, records: Mapping[str, Record | OcrError], known: Statuses) -> dict[str, JobStatus | OcrError]:
        """The status of each job of these records, or why it has none. Raises redis.RedisError, StorageError.

        A job that Redis has lost keeps its `known` status while the spool has its job.json. If it ended before, the
        spool says how, so its result can be fetched also if a new primary of Redis has never heard of it; workers do
        not take it up again.
        """
        live = workers.live(self.redis)
        return {
            job: self._lost(job, known.get(job), record) if isinstance(record, OcrError) else status_of(record, live)
            for job, record in records.items()
        }

    def _lost(self, job: str, known: JobStatus | None, error: OcrError) -> JobStatus | OcrError:
        """The status of a job whose record cannot be read because of `error`, if the spool still has the job."""
        if not isinstance(error, UnknownJob) or not self.spool.exists(job, JOB):
            return error
        if end := rounds.read_end(self.spool, job):
            return ended_status(known or noted_status(job, self.spool.read_json(job, JOB)), end)
        return replace(known, waiting_for=_LOST) if known else error


def _or_raise(status: JobStatus | OcrError) -> JobStatus:
    if isinstance(status, OcrError):
        raise status
    return status
