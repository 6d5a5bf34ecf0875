"""A handle on one job: its status, result and pages, and the commands that change it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from shutil import copyfileobj
from typing import IO, Any, TextIO, cast

from ocrqueue import formats
from ocrqueue.client.handle import JobHandle
from ocrqueue.client.making import Making, making_format, making_image
from ocrqueue.client.queue import Queue
from ocrqueue.client.status import JobStatus
from ocrqueue.client.structuring import Structuring, cancel_structuring
from ocrqueue.errors import OcrFailed, PageError, QueueUnavailable, StorageError, UnknownJob, WrongState
from ocrqueue.ledger import Job as Record
from ocrqueue.ledger import PageRecord
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.finished import FinishedPages
from ocrqueue.states import STRUCTURED_FORMATS, ImageFormat, JobState, PageState
from ocrqueue.storage import results
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.results import PageFacts, PageNote
from ocrqueue.storage.rounds import begin_round
from ocrqueue.storage.spool import JOB, result_name

_RETRIED = frozenset({JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})


class Job(JobHandle):
    """A handle on a job, over Redis and the spool."""

    def __init__(self, job: str, queue: Queue) -> None:
        super().__init__(job, queue)
        self._queue = queue

    def write(
        self,
        format: str,
        stream: IO[Any],
        timeout: float | None = None,
        structure: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> JobStatus:
        """See `JobHandle.write`. The result is written page by page."""
        is_binary = formats.find(format).make is not None
        end = None if timeout is None else time.monotonic() + timeout
        status = self.wait(timeout)
        if status.state == JobState.FAILED:
            raise self.failure()
        spool = self._queue.spool
        try:
            if is_binary:
                if not spool.exists(self.id, result_name(status.round)):
                    raise FileNotFoundError
                self._copy_made(format, stream, end)
                return status
            with spool.open_read(self.id, result_name(status.round)) as file:
                header = results.read_header(file)
                if header.get("structure") or not (structure or format in STRUCTURED_FORMATS):
                    file.seek(0)  # object storage would send it a second time
                    formats.write(format, results.read_pages(file), header, cast("TextIO", stream))
                    return status
            header = self._find_structure(status, format, end, progress) or header
            if not header.get("structure"):
                stream.write(formats.BY_RULES)
            with self._queue.spool.open_read(self.id, result_name(status.round)) as file:
                formats.write(format, results.read_pages(file), header, cast("TextIO", stream))
        except FileNotFoundError:
            if status.state == JobState.CANCELLED:
                raise OcrFailed("cancelled: the job was cancelled before any page was read; retry it") from None
            raise StorageError(f"the spool has lost the result of job {self.id}; submit the document again") from None
        return status

    def structuring(self) -> Structuring:
        """The finding of the structure of a job that has ended, for callers that wait for it in their own way."""
        with reaching(self._queue.settings):
            return Structuring(self._queue, self._queue.ledger.job(self.id))

    def _find_structure(
        self, status: JobStatus, format: str, end: float | None, progress: Callable[[str], None] | None
    ) -> dict[str, Any] | None:
        """The header of the result once its pages have blocks; None if no worker can find them.

        Raises QueueUnavailable instead if the format cannot be made by rules, and as `Structuring.wait`.
        """
        try:
            structuring = self.structuring()
            with reaching(self._queue.settings):
                structuring.wait(None if end is None else max(0.0, end - time.monotonic()), progress)
        except UnknownJob:  # Redis has lost it after its end
            return None
        except QueueUnavailable:
            if format not in STRUCTURED_FORMATS:
                raise
            return None
        with self._queue.spool.open_read(self.id, result_name(status.round)) as file:
            return results.read_header(file)

    def _copy_made(self, format: str, stream: IO[bytes], end: float | None) -> None:
        making = self.making(format)
        with reaching(self._queue.settings):
            making.wait(None if end is None else max(0.0, end - time.monotonic()))
        with self._queue.spool.open_read_bytes(self.id, making.file) as file:
            copyfileobj(file, stream, 1 << 20)

    def document(self) -> str | None:
        """The name of the document's file in the job's folder; None if no worker has fetched it yet."""
        with reaching(self._queue.settings):
            return self._queue.ledger.job(self.id).source.file

    def document_size(self) -> int | None:
        """The length of the document in bytes; None if no worker has fetched it yet."""
        with reaching(self._queue.settings):
            return self._queue.ledger.job(self.id).source.bytes

    def making(self, format: str) -> Making:
        """The making of a binary format of a job that has ended, for callers that wait for it in their own way."""
        queue = self._queue
        with reaching(queue.settings):
            record = queue.ledger.job(self.id)
        return making_format(queue.redis, queue.spool, record, format, lambda: queue.ask(record, format))

    def making_image(self, number: int, width: int | None, format: ImageFormat) -> Making | None:
        """The making of the image of a page, at least `width` pixels wide; None if the page has not finished."""
        queue = self._queue
        with reaching(queue.settings):
            record = queue.ledger.job(self.id)
            page = queue.ledger.page(record, number)
        if page is None or not page.has_finished:
            return None
        image = PageImageFile.at_least(record.round, number, width, format)
        return making_image(queue.redis, queue.spool, record, image, lambda: queue.ask_image(record, image))

    def pages(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield each page as soon as it has finished, as a dict of the result's schema.

        A failed or cancelled page has an `error`. Raises OcrFailed if the document could not be opened, JobTimeout
        after `timeout` seconds.
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

    def page_states(self) -> list[PageRecord]:
        """The state of every page asked for, in order; empty until the document is opened."""
        with reaching(self._queue.settings):
            return list(self._queue.ledger.pages(self._queue.ledger.job(self.id)))

    def page(self, number: int) -> dict[str, Any] | None:
        """A page that has finished, as a dict of the result's schema; None if it has not, or was not asked for."""
        with reaching(self._queue.settings):
            record = self._queue.ledger.job(self.id)
            page = self._queue.ledger.page(record, number)
        return self._page(record, page) if page and page.has_finished else None

    def warnings(self) -> list[PageNote]:
        """Why the text of pages that were read may not be complete, in order; empty until the job has ended."""
        status = self.status()
        if not status.has_ended or not status.ok:
            return []
        try:
            with self._queue.spool.open_read(self.id, result_name(status.round)) as file:
                return results.read_warnings(file)
        except FileNotFoundError:  # the spool has lost the result; `write` says so
            return []

    def cancel(self) -> bool:
        """See `JobHandle.cancel`."""
        with reaching(self._queue.settings):
            step = self._queue.ledger.cancel(self.id)
            self._queue.send(step.messages)
            if step.reply["cancelled"]:
                return True
            return cancel_structuring(self._queue, self._queue.ledger.job(self.id))

    def retry(self) -> None:
        """Read the failed and cancelled pages again. Raises WrongState if there are none or the job has not ended."""
        with reaching(self._queue.settings):
            record = self._queue.ledger.job(self.id)
            if record.state in _RETRIED:  # first, so that an end of the old round that is noted late does not count
                begin_round(self._queue.spool, self.id, record.round + 1)
            step = self._queue.ledger.retry(self.id, record.round)
        self._queue.send(step.messages)

    def drop(self) -> None:
        """Remove the job's record, document, pages and results. Raises WrongState if the job has not ended.

        If the folder cannot be removed, the record is gone, and a second call removes what is left.
        """
        with reaching(self._queue.settings):
            try:
                record = self._queue.ledger.job(self.id)
            except UnknownJob:
                if self._drop_rest():
                    return
                raise
            self._queue.ledger.drop(self.id)
            self._queue.spool.drop(self.id)
            cancel_structuring(self._queue, record)  # its record goes with those of other old jobs

    def _drop_rest(self) -> bool:
        """Remove the folder of a job without a record; False if it has none. Raises WrongState if it is read again."""
        spool = self._queue.spool
        if spool.exists(self.id, JOB):
            with suppress(UnknownJob):  # it has not ended
                self.status()
                spool.drop(self.id)
                return True
            raise WrongState(f"job {self.id} is taken up again after Redis has lost it: cancel it then, and drop it")
        if spool.changed(self.id) is None:
            return False
        spool.drop(self.id)
        return True

    def _page(self, record: Record, page: PageRecord) -> dict[str, Any]:
        facts = PageFacts(engine=record.engine, model=record.model, revision=record.revision, attempts=page.attempts)
        if page.state == PageState.CANCELLED:
            return results.cancelled_page(page.number, facts)
        if page.state == PageState.FAILED:
            error = PageError(page.code or "internal_error", page.message or "")
            return results.failed_page(page.number, error, facts)
        try:
            return self._queue.spool.read_page(self.id, page.number)
        except FileNotFoundError:
            raise StorageError(f"the spool has lost page {page.number} of job {self.id}; retry the job") from None
