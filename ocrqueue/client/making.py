"""Waiting for a file that a worker makes from a job's document, such as a searchable PDF."""

import json
import time
from collections.abc import Callable
from typing import Any

from redis import Redis

from ocrqueue import formats, names
from ocrqueue.errors import JobTimeout, OcrFailed, QueueUnavailable, StorageError, UnknownJob
from ocrqueue.ledger import Job, workers
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.spool import JOB, Spool, output_name

_INTERVAL = 0.3  # seconds between two looks
_CHECK = 5.0  # seconds between two looks whether the job still exists
_PAUSE = 60.0  # seconds before the message is sent again; doubled each time, because making may take long
_GRACE = 20.0  # seconds that a restarting worker has to announce itself


class Making:
    """A file that is made on request. Those who want it at the same time, in any process, send one message.

    `file` is its name in the job's folder, `task` the id of the task that makes it, and `what` names it in messages.
    `ask` sends the message. With `under_way`, a worker has been asked already.
    """

    def __init__(
        self, redis: Redis, spool: Spool, job: str, file: str, task: str, what: str, ask: Callable[[], None],
        under_way: bool = False,
    ) -> None:  # fmt: skip
        self.job, self.file, self.task, self.what = job, file, task, what
        self._redis, self._spool, self._ask = redis, spool, ask
        self._started, self._pause = time.monotonic(), _PAUSE
        self._next = self._started + _PAUSE * under_way  # when the message is sent
        self._next_check = self._started  # when it is looked whether the job still exists

    def look(self) -> bool:
        """Whether the file is there. Sends the message if that is due.

        Raises OcrFailed if the file cannot be made (a later `Making` tries again), QueueUnavailable if no worker makes
        files, UnknownJob if the job was dropped, and StorageError.
        """
        has_succeeded = self._outcome()
        if self._spool.exists(self.job, self.file):
            return True
        self._check_job()
        if has_succeeded:
            self._forget()
            raise StorageError(f"the spool has lost {self.file}; ask for it again")
        now = time.monotonic()
        if now >= self._next:
            if self._redis.set(names.asked_key(self.task), "1", nx=True, ex=int(self._pause)):
                self._ask()
            self._next, self._pause = now + self._pause, self._pause * 2
        if now - self._started > _GRACE and not workers.serving(workers.live(self._redis), names.DOCUMENTS_QUEUE):
            raise QueueUnavailable(
                f"no worker makes {self.what}; start one with `make up` or "
                "`celery -A tasks.app worker -Q documents,maintenance`"
            )
        return False

    def _check_job(self) -> None:
        """Raise UnknownJob if the job was dropped: no worker makes anything of it."""
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + _CHECK
        if not self._spool.exists(self.job, JOB):
            raise UnknownJob(f"job {self.job} is gone: submit the document again for {self.what}")

    @property
    def state(self) -> str:
        """How far it is, for people."""
        return f"{self.what} of job {self.job} is being made"

    def wait(self, timeout: float | None) -> None:
        """Wait until the file is there. Raises JobTimeout after `timeout` seconds, and as `look`."""
        while not self.look():
            if timeout is not None and time.monotonic() - self._started >= timeout:
                raise JobTimeout(f"{self.what} of job {self.job} is not ready; fetch it later with `submit.py result`")
            time.sleep(_INTERVAL)

    def _outcome(self) -> bool:
        """Whether the task has succeeded. Raises OcrFailed, and removes the task's result, if it failed."""
        stored: Any = self._redis.get(names.celery_result_key(self.task))
        found: dict[str, Any] = json.loads(stored) if stored else {}
        if found.get("status") == "FAILURE":
            self._forget()
            raise OcrFailed(_reason(found.get("result") or {}))
        return found.get("status") == "SUCCESS"

    def _forget(self) -> None:
        self._redis.delete(names.celery_result_key(self.task), names.asked_key(self.task))


def making_format(redis: Redis, spool: Spool, job: Job, format: str, ask: Callable[[], None]) -> Making:
    """The making of an output format of a job that has ended.

    A format among the job's options needs no message, because a worker starts with it when the job ends.
    """
    file, task = output_name(formats.find(format).extension, job.round), names.format_id(job.id, job.round, format)
    under_way = format in job.options.formats and job.ended is not None and time.time() - job.ended < _PAUSE
    return Making(redis, spool, job.id, file, task, format, ask, under_way)


def making_image(redis: Redis, spool: Spool, job: Job, image: PageImageFile, ask: Callable[[], None]) -> Making:
    """The making of the image of a page that has finished."""
    task = names.format_id(job.id, job.round, image.name)
    return Making(redis, spool, job.id, image.name, task, f"the image of page {image.number}", ask)


def _reason(error: dict[str, Any]) -> str:
    given = error.get("exc_message") or ""
    message = str(given[0] if isinstance(given, list) and given else given)
    if error.get("exc_type") == OcrFailed.__name__:
        return message
    if "SIGALRM" in message:
        return "timeout: it took too long; raise OCR_PAGE_SECONDS, or submit the document in parts"
    return "worker_lost: the process that made it was killed; ask for it again"
