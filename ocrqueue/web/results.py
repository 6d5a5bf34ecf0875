"""The stored result of a job in a format; made first if it is not there yet."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from anyio.to_thread import run_sync

from ocrqueue import formats
from ocrqueue.client import Job, JobStatus
from ocrqueue.client.making import Making
from ocrqueue.client.structuring import Structuring, is_structured
from ocrqueue.errors import OcrFailed, QueueUnavailable, StorageError
from ocrqueue.ledger.connection import reaching
from ocrqueue.states import STRUCTURED_FORMATS, FormatName, JobState
from ocrqueue.steps.format import write_text_format
from ocrqueue.storage import results
from ocrqueue.storage.spool import Spool, result_name
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service

_PART = 1 << 16  # characters of a text that are read at a time
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
        write = partial(write_text_format, job.id, status.round, format, spool, by_rules)
        return await run_sync(write, limiter=service.makers)
    making = await run_sync(job.making, format)
    await made(service, making, seconds)
    return making.file


async def result_of(
    service: Service, job: Job, status: JobStatus, containing: str = ""
) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """The header of a job's result, and its pages, which are read one after another in the thread that asks for them.

    Pages whose JSON does not contain the text `containing` are left out. Raises as `stored_result`; for the pages
    StorageError too.
    """
    spool, name = service.client.spool, await stored_result(service, job, status, FormatName.JSON, 0)
    with _found(job):
        return await run_sync(_header, spool, job.id, name), _pages(spool, job, name, containing)


async def text_of(service: Service, job: Job, status: JobStatus, format: FormatName, seconds: float) -> Iterator[str]:
    """A text format of a job's result in parts, which are read in the thread that asks for them. Raises as above."""
    return _text(service.client.spool, job, await stored_result(service, job, status, format, seconds))


def _header(spool: Spool, job: str, name: str) -> dict[str, Any]:
    with spool.open_read(job, name) as file:
        return results.read_header(file)


def _pages(spool: Spool, job: Job, name: str, containing: str) -> Iterator[dict[str, Any]]:
    with _found(job), spool.open_read(job.id, name) as file:
        yield from results.read_pages(file, containing)


def _text(spool: Spool, job: Job, name: str) -> Iterator[str]:
    with _found(job), spool.open_read(job.id, name) as file:
        while part := file.read(_PART):
            yield part


@contextmanager
def _found(job: Job) -> Iterator[None]:
    """Raise StorageError if a file of the job is missing."""
    try:
        yield
    except FileNotFoundError:
        raise StorageError(f"the spool has lost the result of job {job.id}; submit the document again") from None


async def with_blocks(service: Service, job: Job, status: JobStatus, seconds: float) -> QueueUnavailable | None:
    """Wait without a thread until the pages in a job's result have blocks; returns the error if no worker finds them.

    Raises as `Structuring.look`, and ApiError after `seconds`.
    """
    try:
        with _found(job):
            if not await run_sync(is_structured, service.client.spool, job.id, status.round):
                await made(service, await run_sync(job.structuring), seconds)
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
