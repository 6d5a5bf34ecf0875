"""Handing documents over and fetching what was read.

    from ocrqueue.client import submit

    job = submit("scan.pdf")
    print(job.text())

Needs Redis and the spool, and no engine. Settings come from the environment; see `ocrqueue.settings`.
"""

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache, cached_property
from io import BytesIO, StringIO
from shutil import copyfileobj
from typing import IO, TYPE_CHECKING, Any, TextIO, Unpack, cast
from uuid import UUID

from redis.exceptions import RedisError

from ocrqueue import formats, names
from ocrqueue.client import children, submission
from ocrqueue.client.children import Answer, Child
from ocrqueue.client.status import DeadPage, JobStatus, dead_pages, status_of
from ocrqueue.client.submission import Document, Given, Wish
from ocrqueue.client.waiting import wait_for_format
from ocrqueue.client.watching import Statuses, follow
from ocrqueue.errors import InvalidOptions, OcrFailed, PageError, QueueFull, StorageError, UnknownJob
from ocrqueue.ledger import Job as Record
from ocrqueue.ledger import Ledger, Message, NewerRecord, PageState, Source, fingerprint, messages, workers
from ocrqueue.ledger.connection import TIMEOUT, connect, reaching
from ocrqueue.options import Options
from ocrqueue.settings import Shared, shared
from ocrqueue.storage import results
from ocrqueue.storage.results import PageFacts
from ocrqueue.storage.spool import JOB, Spool, result_name

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["Client", "Job", "JobStatus", "submit"]

log = logging.getLogger(__name__)
MEMORY_SHARE = 0.8  # of Redis's memory limit, above which nothing new is taken
RETRIED = frozenset({"partial", "failed", "cancelled"})


def submit(source: Given, *, client: "Client | None" = None, **wish: Unpack[Wish]) -> "Job":
    """Hand a document over: a path, bytes, a binary stream, or a URL that the workers are allowed to read.

    Returns as soon as the document is in the queue. Raises OSError for a file that cannot be read, InvalidOptions,
    DocumentError, QueueFull, QueueUnavailable or StorageError; then nothing of it is left in the queue.
    """
    return (client or _default_client(shared())).submit(source, **wish)


@cache
def _default_client(settings: Shared) -> "Client":
    return Client(settings)


class Client:
    """One queue: its Redis and its spool. Cheap to make, connected on first use, safe to share between threads."""

    def __init__(self, settings: Shared | None = None) -> None:
        self.settings = settings or shared()
        self.redis = connect(self.settings)
        self.ledger = Ledger(self.redis)
        self.spool = Spool(self.settings.spool, self.settings.spool_group)

    def submit(self, source: Given, **wish: Unpack[Wish]) -> "Job":
        """Hand a document over; see `ocrqueue.client.submit`."""
        return self.submit_as(submission.job_id(wish.get("key")), source, **wish)

    def submit_as(self, job: str, source: Given, **wish: Unpack[Wish]) -> "Job":
        """The same under an id from `submission.job_id`, for who wants to know it whatever happens meanwhile."""
        options = submission.parse(wish)
        key = wish.get("key")
        with (
            submission.opened(source, wish.get("name"), seekable=key is not None) as document,
            reaching(self.settings),
        ):
            if key is None or not self._is_known(job, key, document, options):
                self._check_room()
                self._put(job, key, document, options, wish.get("password"))
        return Job(job, self)

    def job(self, job: str) -> "Job":
        """A handle on a job by its id. Raises UnknownJob where that is no job's id; asks nobody yet."""
        try:
            return Job(str(UUID(job)), self)
        except ValueError:
            raise UnknownJob(f"{job[:80]!r} is not a job's id; give one as `submit.py jobs` shows it") from None

    def statuses(self, jobs: Collection[str]) -> dict[str, JobStatus]:
        """The status of each job. Raises UnknownJob, QueueUnavailable."""
        with reaching(self.settings):
            live = workers.live(self.redis)
            return {job: status_of(self.ledger.job(job), live) for job in jobs}

    def jobs(self) -> list[JobStatus]:
        """The status of every job that is known, oldest first. Raises QueueUnavailable."""
        found = []
        with reaching(self.settings):
            live = workers.live(self.redis)
            for job in self.ledger.jobs():
                with suppress(UnknownJob, NewerRecord):  # dropped meanwhile, or not for us
                    found.append(status_of(self.ledger.job(job), live))
        return found

    def dead(self) -> list[DeadPage]:
        """All failed pages that a retry might mend, oldest first. Raises QueueUnavailable."""
        with reaching(self.settings):
            return dead_pages(self.ledger)

    def follow(self, jobs: Collection[str], timeout: float | None = None) -> Iterator[Statuses]:
        """The statuses of these jobs at every change and every two seconds, until all have ended.

        Outlives a restart of Redis. Raises JobTimeout, UnknownJob, QueueUnavailable.
        """
        return follow(self.redis, jobs, self._look, timeout)

    def send(self, outgoing: list[Message]) -> None:
        """Publish messages. One that gets lost is no harm: the workers' reconciler sends it again."""
        self._publish(lambda: messages.send(self._celery, outgoing))

    def ask(self, job: Record, format: str) -> None:
        """Ask the workers to make a format of a job that has ended."""
        self._publish(lambda: messages.send_format(self._celery, job, format))

    def _publish(self, publish: Callable[[], None]) -> None:
        from kombu.exceptions import OperationalError

        try:
            publish()
        except (OperationalError, RedisError, OSError) as e:
            log.warning("a message was not sent (%s); the workers will send it again", type(e).__name__)

    # -- the workers -----------------------------------------------------------------------------------------------
    def children(self) -> list[Child]:
        """The worker children, as each was after its last task. Raises QueueUnavailable."""
        with reaching(self.settings):
            return children.children(self.redis)

    def unload(self, seconds: float = 330) -> Iterator[Answer]:
        """Have every worker child free its models; each one's answer as it comes. Raises QueueUnavailable."""
        with reaching(self.settings):
            yield from children.unload(self.redis, self._ask_workers, seconds)

    def _ask_workers(self, count: int) -> list[dict[str, Any]]:
        found = self._celery.control.broadcast(names.UNLOAD, reply=True, limit=count, timeout=5)
        return cast("list[dict[str, Any]]", found or [])

    @cached_property
    def _celery(self) -> "Celery":
        from celery import Celery

        app = Celery("ocrqueue.client", broker=self.settings.redis, set_as_current=False)
        app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            task_send_sent_event=True,
            broker_connection_timeout=TIMEOUT,
            broker_transport_options={"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT},
            task_publish_retry_policy={"max_retries": 1, "interval_start": 0.2},
        )
        return app

    # -- submitting ------------------------------------------------------------------------------------------------
    def _is_known(self, job: str, key: str, document: Document, options: Options) -> bool:
        """Whether the key's job is there already. Raises InvalidOptions where it was made of something else."""
        made_of = self.redis.hget(names.job_key(job), "fingerprint")
        if made_of is None:
            return False
        if made_of != fingerprint(document.as_source(), options):
            raise self._other(job, key, options)
        return True

    def _other(self, job: str, key: str, options: Options) -> InvalidOptions:
        record = self.ledger.job(job)
        ours, theirs = options.given(), record.options.given()
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        what = f"other options ({', '.join(differing)})" if differing else f"another document ({record.source.name})"
        return InvalidOptions(f"the key {key!r} already stands for job {record.id} with {what}; use another key")

    def _check_room(self) -> None:
        waiting, limit = self.ledger.backlog(), self.settings.max_queued_pages
        if waiting >= limit:
            raise QueueFull(
                f"{waiting:,} pages are waiting and {limit:,} are allowed; wait, or raise OCR_MAX_QUEUED_PAGES"
            )
        memory = cast("Mapping[str, int]", self.redis.info("memory"))
        if memory["maxmemory"] and memory["used_memory"] >= MEMORY_SHARE * memory["maxmemory"]:
            raise QueueFull(
                f"Redis uses {memory['used_memory'] / memory['maxmemory']:.0%} of its memory limit; "
                "wait until the queue has drained, or raise its maxmemory"
            )

    def _put(
        self, job: str, key: str | None, document: Document, options: Options, password: str | bytes | None
    ) -> None:
        """The bytes first, then the record, then the message: whatever happens in between, nothing is lost or left."""
        with ExitStack() as undo:
            undo.callback(self._take_back, job)
            if document.stream is None:
                source = document.as_source()
                self.spool.check()
            else:
                stored = self.spool.put_source(job, document.stream, self.settings.max_bytes)
                source = Source(document.name, stored.file, stored.sha256, stored.bytes)
            if password:
                self.spool.put_password(job, password.encode() if isinstance(password, str) else password)
            self.spool.write_json(job, JOB, _job_json(job, source, options))
            step = self.ledger.create(job, source, options)
            undo.pop_all()
        if key is not None and not step.reply["same"]:  # somebody used the key at the same time
            raise self._other(job, key, options)
        self.send(step.messages)

    def _take_back(self, job: str) -> None:
        """Remove the bytes of a job that was not made; where Redis is away, nobody else can have made it."""
        with suppress(StorageError):
            try:
                self.ledger.job(job)
            except (UnknownJob, RedisError):
                self.spool.drop(job)

    # -- following -------------------------------------------------------------------------------------------------
    def _look(self, jobs: Collection[str], known: Statuses) -> dict[str, JobStatus]:
        """Like `statuses`; a job that Redis has forgotten stays as it was as long as the spool has it."""
        with reaching(self.settings):
            live = workers.live(self.redis)
            found = {}
            for job in jobs:
                try:
                    found[job] = status_of(self.ledger.job(job), live)
                except UnknownJob:
                    if job not in known or not self.spool.exists(job, JOB):
                        raise
                    found[job] = replace(known[job], waiting_for="Redis has lost this job; it is taken up again soon")
        return found


def _job_json(job: str, source: Source, options: Options) -> dict[str, Any]:
    return {
        "version": names.VERSION,
        "job": job,
        "source": source.to_json(),
        "options": options.given(),
        "created": time.time(),
    }


class Job:
    """A handle on a job. Every method asks anew, and raises QueueUnavailable, UnknownJob or StorageError."""

    def __init__(self, job: str, client: Client) -> None:
        self.id = job
        self._client = client

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> JobStatus:
        """How far it is, and what it waits for where nothing moves."""
        return self._client.statuses([self.id])[self.id]

    def wait(self, timeout: float | None = None, progress: Callable[[JobStatus], None] | None = None) -> JobStatus:
        """The status once the job has ended. `progress` is called at every change, and at least every two seconds.

        Outlives a restart of Redis. Raises JobTimeout after `timeout` seconds; the job goes on.
        """
        for statuses in self._client.follow([self.id], timeout):
            status = statuses[self.id]
            if progress:
                progress(status)
        return status

    def result(self, format: str = "json", timeout: float | None = None) -> Any:
        """What was read, once the job has ended: a dict for `json` (the result's schema), bytes for `pdf`, else a text.

        Raises OcrFailed where no page was read or the format cannot be made, JobTimeout.
        """
        stream: BytesIO | StringIO = BytesIO() if formats.find(format).make else StringIO()
        self.write(format, stream, timeout)
        return json.loads(stream.getvalue()) if format == "json" else stream.getvalue()

    def text(self, timeout: float | None = None) -> str:
        """The plain text, once the job has ended; a form feed between pages. Raises OcrFailed, JobTimeout."""
        return str(self.result("text", timeout))

    def write(self, format: str, stream: IO[Any], timeout: float | None = None) -> JobStatus:
        """Write what was read in a format, page by page, once the job has ended; `pdf` goes to a stream of bytes.

        Raises OcrFailed, JobTimeout.
        """
        is_binary = formats.find(format).make is not None
        end = None if timeout is None else time.monotonic() + timeout
        status = self.wait(timeout)
        if status.state == "failed":
            raise self.failure()
        try:
            with self._client.spool.open_read(self.id, result_name(status.round)) as file:
                header = results.read_header(file)
            if is_binary:
                self._copy_made(format, stream, end)
                return status
            with self._client.spool.open_read(self.id, result_name(status.round)) as file:
                formats.write(format, results.read_pages(file), header, cast("TextIO", stream))
        except FileNotFoundError:
            if status.state == "cancelled":
                raise OcrFailed("cancelled: the job was cancelled before any page was read; retry it") from None
            raise StorageError(f"the result of job {self.id} is no longer in the spool; submit it again") from None
        return status

    def _copy_made(self, format: str, stream: IO[bytes], end: float | None) -> None:
        client, left = self._client, None if end is None else max(0.0, end - time.monotonic())
        with reaching(client.settings):
            record = client.ledger.job(self.id)
            name = wait_for_format(client.redis, client.spool, record, format, lambda: client.ask(record, format), left)
        with client.spool.open_read_bytes(self.id, name) as file:
            copyfileobj(file, stream, 1 << 20)

    def pages(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Each page as soon as it is finished, in that order; a failed or cancelled one says so in its `error`.

        Raises OcrFailed where the document could not be opened, JobTimeout.
        """
        given: set[int] = set()
        for _ in self._client.follow([self.id], timeout):
            with reaching(self._client.settings):
                record = self._client.ledger.job(self.id)
                known = list(self._client.ledger.pages(record))
            for page in known:
                if page.state in ("ok", "failed", "cancelled") and page.number not in given:
                    given.add(page.number)
                    yield self._page(record, page)
        if not given:
            raise self.failure()

    def failed_pages(self) -> list[PageState]:
        """The pages that could not be read, each with its code and message."""
        with reaching(self._client.settings):
            record = self._client.ledger.job(self.id)
            return [page for page in self._client.ledger.pages(record) if page.state == "failed"]

    def cancel(self) -> bool:
        """Stop it between pages; what was read stays. False where there was nothing left to stop."""
        with reaching(self._client.settings):
            step = self._client.ledger.cancel(self.id)
        self._client.send(step.messages)
        return bool(step.reply["cancelled"])

    def retry(self) -> None:
        """Read failed and cancelled pages again. Raises WrongState where there are none, or it has not ended."""
        with reaching(self._client.settings):
            if self._client.ledger.job(self.id).state in RETRIED:
                self._forget_result()  # Celery would never overwrite a success
                self._client.spool.reopen(self.id)
            step = self._client.ledger.retry(self.id)
        self._client.send(step.messages)

    def drop(self) -> None:
        """Forget it: record, document, pages and results. Raises WrongState where it has not ended."""
        with reaching(self._client.settings):
            self._client.ledger.drop(self.id)
            self._client.spool.drop(self.id)
            self._forget_result()

    def _forget_result(self) -> None:
        self._client.redis.delete(f"celery-task-meta-{self.id}")

    def _page(self, record: Record, page: PageState) -> dict[str, Any]:
        facts = PageFacts(engine=record.engine, model=record.model, revision=record.revision, attempts=page.attempts)
        if page.state == "cancelled":
            return results.cancelled_page(page.number, facts)
        if page.state == "failed":
            error = PageError(page.code or "internal_error", page.message or "")
            return results.failed_page(page.number, error, facts)
        try:
            return self._client.spool.read_page(self.id, page.number)
        except FileNotFoundError:
            raise StorageError(
                f"page {page.number} of job {self.id} is no longer in the spool; retry the job"
            ) from None

    def failure(self) -> OcrFailed:
        """Why there is no text: what was wrong with the document, or else with its first failed page."""
        status = self.status()
        if status.code:
            return OcrFailed(f"{status.code}: {status.message}")
        for page in self.failed_pages():
            return OcrFailed(f"{page.code}: no page could be read; page {page.number}: {page.message}")
        return OcrFailed(f"{status.state}: no page was read; retry the job")
