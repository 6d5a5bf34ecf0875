"""Waiting for the jobs of a submission, for as long as the client does."""

import asyncio
import logging
import time
from collections.abc import Collection

from anyio.to_thread import run_sync
from fastapi import Request

from ocrqueue.client import JobStatus
from ocrqueue.errors import OcrError
from ocrqueue.web.service import Service

log = logging.getLogger(__name__)


async def wait_for(
    request: Request, service: Service, jobs: Collection[str], seconds: float, keyed: bool
) -> dict[str, JobStatus]:
    """The status of each job when all have ended, or after `seconds`.

    If the client goes away, its jobs are cancelled unless they are `keyed`: nobody knows their ids, but with the
    idempotency key the client can ask again. Raises as `Watch.following`.
    """
    waiting = asyncio.create_task(_statuses(service, jobs, seconds))
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return await waiting
        if not keyed:
            for job in jobs:
                await run_sync(_cancel, service, job)
        return {}  # nobody reads the answer
    finally:
        waiting.cancel()
        leaving.cancel()


async def _statuses(service: Service, jobs: Collection[str], seconds: float) -> dict[str, JobStatus]:
    end = time.monotonic() + seconds
    return {job: await service.watch.wait(job, max(0.0, end - time.monotonic())) for job in jobs}


async def _gone(request: Request) -> None:
    """Return when the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _cancel(service: Service, job: str) -> None:
    try:
        service.client.job(job).cancel()
    except OcrError as e:
        log.warning("job=%s: its client went away, and it cannot be cancelled: %s", job, e.message)
