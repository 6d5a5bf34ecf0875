"""Waiting for the structure of a job that has ended: workers find the blocks of its pages, and write its result again.

The ledger has a record of its own for it, a *structuring*, whose pages go through lanes and leases like those of any
job. The job itself stays as it is until the new result is there.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from ocrqueue import names
from ocrqueue.client.queue import Queue
from ocrqueue.client.status import JobStatus
from ocrqueue.errors import JobTimeout, OcrError, OcrFailed, QueueUnavailable, UnknownJob, WrongState
from ocrqueue.ledger import Job, NewerRecord
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.workers import Worker, live, serving
from ocrqueue.options import Options
from ocrqueue.storage import results
from ocrqueue.storage.spool import Spool, result_name

GRACE = 20.0  # seconds that a restarting worker has to announce itself
_INTERVAL = 0.3  # seconds between two looks


def is_structured(spool: Spool, job: str, round: int) -> bool:
    """Whether the pages in a round's result have blocks. Raises FileNotFoundError, StorageError."""
    with spool.open_read(job, result_name(round)) as stream:
        return bool(results.read_header(stream).get("structure", False))


class Structuring:
    """The finding of a job's structure. Those who want it at the same time, in any process, share it."""

    what = "the structure"

    def __init__(self, queue: Queue, record: Job) -> None:
        self.job, self.task = record.id, names.structuring_id(record.id, record.round)
        self._queue, self._record = queue, record
        self._begun = False  # whether it was seen open, or begun here
        self._unserved: float | None = None  # since when no worker can go on with it, by time.monotonic()
        self._status: JobStatus | None = None

    def look(self) -> bool:
        """Whether the result has blocks. Begins the structuring if nobody has.

        Raises OcrFailed if it was cancelled or has failed (a later `Structuring` tries again), QueueUnavailable if no
        worker can find the structure, StorageError, UnknownJob.
        """
        found = self._queue.ledger.records([self.task])[self.task]
        if is_structured(self._queue.spool, self.job, self._record.round):
            return True
        if isinstance(found, NewerRecord):
            raise found
        if isinstance(found, Job) and found.has_ended:
            if self._begun:
                raise _failure(found)
            with suppress(UnknownJob, WrongState):  # another client was faster
                self._queue.ledger.drop(self.task)
        self._check_workers(is_open=isinstance(found, Job) and not found.has_ended)
        if not isinstance(found, Job) or found.has_ended:
            self._begin()
        self._begun = True
        with suppress(OcrError):
            self._status = self._queue.statuses([self.task])[self.task]
        return False

    def wait(self, timeout: float | None, progress: Callable[[str], None] | None = None) -> None:
        """Wait until the result has blocks; `progress` is called with a line for people.

        Raises JobTimeout after `timeout` seconds, and as `look`.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.look():
            if progress:
                progress(self.state)
            if end is not None and time.monotonic() >= end:
                raise JobTimeout(f"{self.state}; fetch the result later with `submit.py result`")
            time.sleep(_INTERVAL)

    @property
    def state(self) -> str:
        """How far it is, for people."""
        status, text = self._status, f"the structure of job {self.job} is being found"
        if status is None or status.pages is None:
            return text
        return f"{text}: {status.finished} of {status.pages} page{'s' if status.pages != 1 else ''}"

    def _begin(self) -> None:
        record = self._record
        options = Options(pages=record.options.pages, priority=record.options.priority)
        with reaching(self._queue.settings):
            step = self._queue.ledger.create(self.task, record.source, options, structures=self.job)
        if step.reply["created"]:
            self._queue.send(step.messages)

    def _check_workers(self, is_open: bool) -> None:
        """Raise QueueUnavailable if no worker can find the structure; once it has begun, after `GRACE`."""
        workers = live(self._queue.redis)
        if serving(workers, names.DOCUMENTS_QUEUE) and any(map(_is_able, workers)):
            self._unserved = None
            return
        now = time.monotonic()
        self._unserved = now if self._unserved is None else self._unserved
        if not (is_open or self._begun) or now - self._unserved > GRACE:
            raise QueueUnavailable("no worker finds the structure of pages; start one with `make up`")


def cancel_structuring(queue: Queue, record: Job) -> bool:
    """Cancel the finding of a job's structure; False if there was nothing to cancel."""
    task = names.structuring_id(record.id, record.round)
    with suppress(UnknownJob, NewerRecord):
        step = queue.ledger.cancel(task)
        queue.send(step.messages)
        return bool(step.reply["cancelled"])
    return False


def _is_able(worker: Worker) -> bool:
    return worker.structure is not None and any(map(names.engine_of, worker.queues))


def _failure(found: Job) -> OcrFailed:
    if found.cancelled or found.cancelling:
        return OcrFailed("cancelled: the finding of the structure was cancelled; ask for it again")
    if found.code:
        return OcrFailed(f"{found.code}: the structure was not found: {found.message}")
    return OcrFailed("model_missing: no worker took the pages whose structure was to be found; ask for it again")
