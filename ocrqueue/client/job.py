"""A handle on one job: its status, its result, its pages, and the steps that a user may take with it."""

import json
import time
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO
from shutil import copyfileobj
from typing import IO, Any, TextIO, cast

from ocrqueue import formats, names
from ocrqueue.client.format_wait import wait_for_format
from ocrqueue.client.queue import Queue
from ocrqueue.client.status import JobStatus
from ocrqueue.errors import OcrFailed, PageError, StorageError
from ocrqueue.ledger import Job as Record
from ocrqueue.ledger import PageRecord
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.finished import FinishedPages
from ocrqueue.states import JobState
from ocrqueue.storage import results
from ocrqueue.storage.results import PageFacts
from ocrqueue.storage.spool import result_name

_RETRIED = frozenset({JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})


class Job:
    """A handle on a job. Every method asks anew, and raises QueueUnavailable, UnknownJob or StorageError."""

    def __init__(self, job: str, queue: Queue) -> None:
        self.id = job
        self._queue = queue

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> JobStatus:
        """How far it is, and what it waits for where nothing moves."""
        return self._queue.statuses([self.id])[self.id]

    def wait(self, timeout: float | None = None, progress: Callable[[JobStatus], None] | None = None) -> JobStatus:
        """The status once the job has ended. `progress` is called at every change, and at least every two seconds.

        Outlives a restart of Redis. Raises JobTimeout after `timeout` seconds; the job goes on.
        """
        for statuses in self._queue.follow([self.id], timeout):
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
            with self._queue.spool.open_read(self.id, result_name(status.round)) as file:
                header = results.read_header(file)
            if is_binary:
                self._copy_made(format, stream, end)
                return status
            with self._queue.spool.open_read(self.id, result_name(status.round)) as file:
                formats.write(format, results.read_pages(file), header, cast("TextIO", stream))
        except FileNotFoundError:
            if status.state == "cancelled":
                raise OcrFailed("cancelled: the job was cancelled before any page was read; retry it") from None
            raise StorageError(f"the result of job {self.id} is no longer in the spool; submit it again") from None
        return status

    def _copy_made(self, format: str, stream: IO[bytes], end: float | None) -> None:
        queue, left = self._queue, None if end is None else max(0.0, end - time.monotonic())
        with reaching(queue.settings):
            record = queue.ledger.job(self.id)
            name = wait_for_format(queue.redis, queue.spool, record, format, lambda: queue.ask(record, format), left)
        with queue.spool.open_read_bytes(self.id, name) as file:
            copyfileobj(file, stream, 1 << 20)

    def pages(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Each page as soon as it is finished, in that order; a failed or cancelled one says so in its `error`.

        Raises OcrFailed where the document could not be opened, JobTimeout.
        """
        finished = FinishedPages(self._queue.redis, self.id)
        has_pages = False
        for _ in self._queue.follow([self.id], timeout):
            with reaching(self._queue.settings):
                record = self._queue.ledger.job(self.id)
                new = finished.read(record)
            for page in new:
                has_pages = True
                yield self._page(record, page)
        if not has_pages:
            raise self.failure()

    def failed_pages(self) -> list[PageRecord]:
        """The pages that could not be read, each with its code and message."""
        with reaching(self._queue.settings):
            record = self._queue.ledger.job(self.id)
            return [page for page in self._queue.ledger.pages(record) if page.state == "failed"]

    def cancel(self) -> bool:
        """Stop it between pages; what was read stays. False where there was nothing left to stop."""
        with reaching(self._queue.settings):
            step = self._queue.ledger.cancel(self.id)
        self._queue.send(step.messages)
        return bool(step.reply["cancelled"])

    def retry(self) -> None:
        """Read failed and cancelled pages again. Raises WrongState where there are none, or it has not ended."""
        with reaching(self._queue.settings):
            if self._queue.ledger.job(self.id).state in _RETRIED:
                self._forget_result()  # Celery would never overwrite a success
                self._queue.spool.reopen(self.id)
            step = self._queue.ledger.retry(self.id)
        self._queue.send(step.messages)

    def drop(self) -> None:
        """Forget it: record, document, pages and results. Raises WrongState where it has not ended."""
        with reaching(self._queue.settings):
            self._queue.ledger.drop(self.id)
            self._queue.spool.drop(self.id)
            self._forget_result()

    def _forget_result(self) -> None:
        self._queue.redis.delete(names.celery_result_key(self.id))

    def _page(self, record: Record, page: PageRecord) -> dict[str, Any]:
        facts = PageFacts(engine=record.engine, model=record.model, revision=record.revision, attempts=page.attempts)
        if page.state == "cancelled":
            return results.cancelled_page(page.number, facts)
        if page.state == "failed":
            error = PageError(page.code or "internal_error", page.message or "")
            return results.failed_page(page.number, error, facts)
        try:
            return self._queue.spool.read_page(self.id, page.number)
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
