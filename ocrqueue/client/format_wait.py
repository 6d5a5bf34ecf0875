"""Waiting for an output format that a worker makes from the document, such as a searchable PDF."""

import json
import time
from collections.abc import Callable
from typing import Any

from redis import Redis

from ocrqueue import formats, names
from ocrqueue.errors import JobTimeout, OcrFailed, QueueUnavailable, StorageError
from ocrqueue.ledger import Job, workers
from ocrqueue.storage.spool import Spool, output_name

_INTERVAL = 0.3  # seconds between two checks
_FIRST_PAUSE = 60.0  # seconds before the message is sent again; doubled each time, because making may take long
_GRACE = 20.0  # seconds that a restarting worker has to announce itself


def wait_for_format(
    redis: Redis, spool: Spool, job: Job, format: str, ask: Callable[[], None], timeout: float | None
) -> str:
    """Wait until a format is made, and return the name of its file in the job's folder.

    `ask` sends the message that makes a worker start. A format among the job's options needs no message, because a
    worker starts with it when the job ends. Raises OcrFailed if the format cannot be made (a later call tries again),
    JobTimeout after `timeout` seconds, QueueUnavailable if no worker makes formats, and StorageError.
    """
    name = output_name(formats.find(format).extension, job.round)
    started, pause = time.monotonic(), _FIRST_PAUSE
    under_way = format in job.options.formats and job.ended is not None and time.time() - job.ended < pause
    asked_at = started if under_way else started - pause
    task = names.format_id(job.id, job.round, format)
    while True:
        has_succeeded = _outcome(redis, task)
        if spool.exists(job.id, name):
            return name
        if has_succeeded:
            _forget(redis, task)
            raise StorageError(f"the spool has lost {name}; ask for it again")
        now = time.monotonic()
        if now - asked_at >= pause:
            pause *= 1 if asked_at < started else 2
            asked_at = now
            ask()
        if now - started > _GRACE and not workers.serving(workers.live(redis), names.DOCUMENTS_QUEUE):
            raise QueueUnavailable(
                f"no worker makes {format}; start one with `make up` or "
                "`celery -A tasks.app worker -Q documents,maintenance`"
            )
        if timeout is not None and now - started >= timeout:
            raise JobTimeout(f"{format} of job {job.id} is not ready; fetch it later with `submit.py result`")
        time.sleep(_INTERVAL)


def _outcome(redis: Redis, task: str) -> bool:
    """Whether the task has succeeded. Raises OcrFailed, and removes the task's result, if it failed."""
    stored: Any = redis.get(names.celery_result_key(task))
    found: dict[str, Any] = json.loads(stored) if stored else {}
    if found.get("status") == "FAILURE":
        _forget(redis, task)
        raise OcrFailed(_reason(found.get("result") or {}))
    return found.get("status") == "SUCCESS"


def _forget(redis: Redis, task: str) -> None:
    redis.delete(names.celery_result_key(task))


def _reason(error: dict[str, Any]) -> str:
    given = error.get("exc_message") or ""
    message = str(given[0] if isinstance(given, list) and given else given)
    if error.get("exc_type") == OcrFailed.__name__:
        return message
    if "SIGALRM" in message:
        return "timeout: it took too long; raise OCR_PAGE_SECONDS, or submit the document in parts"
    return "worker_lost: the process that made it was killed; ask for it again"
