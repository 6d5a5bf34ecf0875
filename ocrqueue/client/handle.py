"""What the client over Redis and the client over HTTP have in common: `AnyClient`, and the handle on a job."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from io import BytesIO, StringIO
from typing import IO, Any, Protocol, Unpack

from ocrqueue import formats
from ocrqueue.client.children import Answer, Child, ServedEngine
from ocrqueue.client.follow import Statuses
from ocrqueue.client.status import DeadPage, JobStatus
from ocrqueue.client.submission import AnySource, Parameters
from ocrqueue.client.submission.many import Document, Submissions
from ocrqueue.errors import OcrFailed
from ocrqueue.ledger import PageRecord
from ocrqueue.states import JobState, PageState
from ocrqueue.storage.results import PageNote


class Follower(Protocol):
    """Reads the statuses of jobs."""

    def statuses(self, jobs: Collection[str]) -> dict[str, JobStatus]:
        """The status of each job. Raises UnknownJob, QueueUnavailable."""
        ...

    def follow(self, jobs: Collection[str], timeout: float | None = None) -> Iterator[Statuses]:
        """Yield the statuses of these jobs at every change, and at least every two seconds, until all jobs have ended.

        Continues after a restart of the other side. Raises JobTimeout after `timeout` seconds, UnknownJob,
        QueueUnavailable.
        """
        ...


class AnyClient(Follower, Protocol):
    """A client of one queue: `Client`, which uses Redis and the spool, or `RemoteClient`, which uses the HTTP API."""

    def submit(self, source: AnySource, **parameters: Unpack[Parameters]) -> "JobHandle":
        """Submit a document; see `ocrqueue.client.submit`."""
        ...

    def submit_as(self, job: str, source: AnySource, **parameters: Unpack[Parameters]) -> "JobHandle":
        """Submit a document under an id from `submission.job_id`. The HTTP API gives the job an id of its own."""
        ...

    def submit_many(
        self, sources: Iterable[AnySource | Document], **parameters: Unpack[Parameters]
    ) -> "Submissions[JobHandle]":
        """Submit many documents; see `ocrqueue.client.submit_many`."""
        ...

    def job(self, job: str) -> "JobHandle":
        """Return a handle on the job with this id, without asking for it. Raises UnknownJob if it is not a UUID."""
        ...

    def is_submitted(self, job: str) -> bool:
        """Whether an interrupted submission is known to have left a job with this id."""
        ...

    def jobs(self) -> list[JobStatus]:
        """The status of every job that the caller may see, oldest first. Raises QueueUnavailable."""
        ...

    def each_job(self, state: JobState | None = None) -> Iterator[JobStatus]:
        """These jobs, or those in a state, read while they are asked for. Raises QueueUnavailable."""
        ...

    def newest_jobs(self, state: JobState | None = None, name: str | None = None) -> Iterator[JobStatus]:
        """The jobs in this state whose document has `name` in its name, newest first, read while they are asked for.

        None: any. Raises QueueUnavailable.
        """
        ...

    def dead(self) -> list[DeadPage]:
        """All failed pages that a retry might read, oldest first. Raises QueueUnavailable."""
        ...

    def each_dead(self) -> Iterator[DeadPage]:
        """These pages, read while they are asked for. Raises QueueUnavailable."""
        ...

    def children(self) -> list[Child]:
        """The state of each worker child after its last task. Raises QueueUnavailable."""
        ...

    def engines(self) -> list[ServedEngine]:
        """The engines that live workers serve."""
        ...

    def unload(self, seconds: float = 330) -> Iterator[Answer]:
        """Ask every worker child to free its models; yield their answers, within `seconds`. Raises QueueUnavailable."""
        ...


class JobHandle(ABC):
    """A handle on a job.

    It keeps no state: every method asks the queue, and may raise QueueUnavailable, UnknownJob or StorageError.
    """

    def __init__(self, job: str, follower: Follower) -> None:
        self.id = job
        self._follower = follower

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> JobStatus:
        """The state of the job, its page counts, and what it waits for."""
        return self._follower.statuses([self.id])[self.id]

    def wait(self, timeout: float | None = None, progress: Callable[[JobStatus], None] | None = None) -> JobStatus:
        """Wait until the job has ended and return its status.

        Calls `progress` with the status at every change, and at least every two seconds. Continues after a restart of
        Redis. Raises JobTimeout after `timeout` seconds; the job continues. Without a timeout it waits for as long as
        the job is open: for ever, if a message was lost and beat does not run, which alone sends it again.
        """
        for statuses in self._follower.follow([self.id], timeout):
            status = statuses[self.id]
            if progress:
                progress(status)
        return status

    def result(self, format: str = "json", timeout: float | None = None, structure: bool = False) -> Any:
        """Wait until the job has ended and return its result in a format.

        With `structure` its pages have blocks, also if the job did not ask for them. Returns a dict of the schema
        "ocr-queue/1" for `json`, bytes for `pdf`, and text for the others. Raises OcrFailed if no page was read or the
        format cannot be made, JobTimeout after `timeout` seconds, QueueUnavailable.
        """
        stream: BytesIO | StringIO = BytesIO() if formats.find(format).make else StringIO()
        self.write(format, stream, timeout, structure)
        return json.loads(stream.getvalue()) if format == "json" else stream.getvalue()

    def text(self, timeout: float | None = None) -> str:
        """Wait until the job has ended and return its plain text; pages are separated by form feeds.

        Raises OcrFailed, JobTimeout.
        """
        return str(self.result("text", timeout))

    @abstractmethod
    def write(
        self,
        format: str,
        stream: IO[Any],
        timeout: float | None = None,
        structure: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> JobStatus:
        """Wait until the job has ended, write its result to a stream, and return its status.

        `stream` takes bytes for `pdf`, and text for the other formats. Markdown and HTML are made from the blocks of
        the pages: if they have none yet, workers find them, and `progress` is called with a line for people now and
        then. If no worker can, these formats are made by rules, and say so in a comment at the top. With `structure`
        the same goes for the other formats, but without workers that raises QueueUnavailable. Raises OcrFailed,
        JobTimeout.
        """

    @abstractmethod
    def pages(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield each page as soon as it has finished, as a dict of the result's schema.

        A failed or cancelled page has an `error`. Raises OcrFailed if the document could not be opened, JobTimeout
        after `timeout` seconds.
        """

    @abstractmethod
    def page_states(self) -> list[PageRecord]:
        """The state of every page asked for, in order; empty until the document is opened."""

    def failed_pages(self) -> list[PageRecord]:
        """The pages that failed, each with its error code and message."""
        return [page for page in self.page_states() if page.state == PageState.FAILED]

    @abstractmethod
    def warnings(self) -> list[PageNote]:
        """Why the text of pages that were read may not be complete, in order; empty until the job has ended."""

    @abstractmethod
    def cancel(self) -> bool:
        """Cancel the pages that no worker has started; pages that were read are kept.

        If the job has ended, the finding of its structure is cancelled; the job stays as it was. Returns False if
        there was nothing left to cancel.
        """

    @abstractmethod
    def retry(self) -> None:
        """Read the failed and cancelled pages again. Raises WrongState if there are none or the job has not ended."""

    @abstractmethod
    def drop(self) -> None:
        """Remove the job's record, document, pages and results. Raises WrongState if the job has not ended."""

    def failure(self) -> OcrFailed:
        """The error of a job without text: that of the document, or of its first failed page."""
        status = self.status()
        if status.code:
            return OcrFailed(f"{status.code}: {status.message}")
        for page in self.failed_pages():
            return OcrFailed(f"{page.code}: no page could be read; page {page.number}: {page.message}")
        return OcrFailed(f"{status.state}: no page was read; retry the job")
