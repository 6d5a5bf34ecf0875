"""The stored result of a job in a format; made first if it is not there yet."""

import time

from anyio.to_thread import run_sync

from ocrqueue import formats
from ocrqueue.client import Job, JobStatus
from ocrqueue.client.making import Making
from ocrqueue.errors import OcrFailed
from ocrqueue.ledger.connection import reaching
from ocrqueue.states import FormatName, JobState
from ocrqueue.steps.format import write_text_format
from ocrqueue.storage.spool import result_name
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service

_LOOK = 2.0  # seconds between two looks at a file that a worker makes, if no event comes


async def stored_result(service: Service, job: Job, status: JobStatus, format: FormatName, seconds: float) -> str:
    """The name of the file in the job's folder that holds its result in a format. Waits for a worker to make it.

    Raises ApiError if the job has not ended or the file is not made within `seconds`, OcrFailed if the job has no
    result or the file cannot be made, QueueUnavailable, StorageError.
    """
    if not status.has_ended:
        raise not_ready(f"job {job.id} is {status.state}: its result comes when it has ended; wait with `?wait=30`")
    if status.state == JobState.FAILED:
        raise await run_sync(job.failure)
    result, spool = result_name(status.round), service.client.spool
    if status.state == JobState.CANCELLED and not await run_sync(spool.exists, job.id, result):
        raise OcrFailed("cancelled: the job was cancelled before any page was read; retry it")
    if format == FormatName.JSON:
        return result
    if formats.find(format).write:
        return await run_sync(write_text_format, job.id, status.round, format, spool)
    making = await run_sync(job.making, format)
    await made(service, making, seconds)
    return making.file


async def made(service: Service, making: Making, seconds: float) -> None:
    """Wait without a thread until a worker has made a file. Raises as `Making.look`, and ApiError after `seconds`."""

    def look() -> bool:
        with reaching(service.client.settings):
            return making.look()

    end = time.monotonic() + seconds
    with service.watch.task(making.task) as wake:
        while not await run_sync(look):
            left = end - time.monotonic()
            if left <= 0 or service.watch.is_ending:
                raise not_ready(f"{making.what} of job {making.job} is being made: ask again")
            await wake.wait(min(left, _LOOK))


def not_ready(message: str) -> ApiError:
    """The error for a result that comes later."""
    return ApiError("not_ready", message, {"Retry-After": "2"})
