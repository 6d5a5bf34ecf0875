"""The stored result of a job in a format; made first if it is not there yet."""

import time

from anyio.to_thread import run_sync

from ocrqueue import formats
from ocrqueue.client import Job, JobStatus
from ocrqueue.client.making import Making
from ocrqueue.client.structuring import Structuring, is_structured
from ocrqueue.errors import OcrFailed, QueueUnavailable, StorageError
from ocrqueue.ledger.connection import reaching
from ocrqueue.states import STRUCTURED_FORMATS, FormatName, JobState
from ocrqueue.steps.format import write_text_format
from ocrqueue.storage.spool import result_name
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service

_LOOK = 2.0  # seconds between two looks at a file that a worker makes, if no event comes


async def stored_result(
    service: Service,
    job: Job,
    status: JobStatus,
    format: FormatName,
    seconds: float,
    structure: bool = False,
    structure_seconds: float | None = None,
) -> str:
    """The name of the file in the job's folder that holds its result in a format. Waits for a worker to make it.

    Markdown and HTML are made from blocks, which workers find first; so they do for any format with `structure`. Raises
    ApiError if the job has not ended, or the file is not made within `seconds` or the blocks are not found within
    `structure_seconds` (None: within `seconds` too); OcrFailed if the job has no result or the file cannot be made;
    QueueUnavailable, StorageError.
    """
    if not status.has_ended:
        raise not_ready(f"job {job.id} is {status.state}: its result comes when it has ended; wait with `?wait=30`")
    if status.state == JobState.FAILED:
        raise await run_sync(job.failure)
    result, spool = result_name(status.round), service.client.spool
    if status.state == JobState.CANCELLED and not await run_sync(spool.exists, job.id, result):
        raise OcrFailed("cancelled: the job was cancelled before any page was read; retry it")
    by_rules = False
    if structure or format in STRUCTURED_FORMATS:
        found = await with_blocks(service, job, status, seconds if structure_seconds is None else structure_seconds)
        by_rules = found is not None
        if found and format not in STRUCTURED_FORMATS:
            raise found
    if format == FormatName.JSON:
        return result
    if formats.find(format).write:
        return await run_sync(write_text_format, job.id, status.round, format, spool, by_rules)
    making = await run_sync(job.making, format)
    await made(service, making, seconds)
    return making.file


async def with_blocks(service: Service, job: Job, status: JobStatus, seconds: float) -> QueueUnavailable | None:
    """Wait without a thread until the pages in a job's result have blocks; returns the error if no worker finds them.

    Raises as `Structuring.look`, and ApiError after `seconds`.
    """
    try:
        if not await run_sync(is_structured, service.client.spool, job.id, status.round):
            await made(service, await run_sync(job.structuring), seconds)
    except FileNotFoundError as e:
        raise StorageError(f"the spool has lost the result of job {job.id}; submit the document again") from e
    except QueueUnavailable as e:
        return e
    return None


async def made(service: Service, making: Making | Structuring, seconds: float) -> None:
    """Wait without a thread until workers have made something. Raises as its `look`, and ApiError after `seconds`."""

    def look() -> bool:
        with reaching(service.client.settings):
            return making.look()

    end = time.monotonic() + seconds
    with service.watch.task(making.task) as wake:
        while not await run_sync(look):
            left = end - time.monotonic()
            if left <= 0 or service.watch.is_ending:
                raise not_ready(f"{making.state}; ask again")
            await wake.wait(min(left, _LOOK))


def not_ready(message: str) -> ApiError:
    """The error for a result that comes later."""
    return ApiError("not_ready", message, {"Retry-After": "2"})
