"""Jobs: their state, and the commands that change them."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from ocrqueue.client import Job
from ocrqueue.ledger import PageRecord
from ocrqueue.page_set import PageSet
from ocrqueue.web.access import own_job, seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.shapes import JobObject, job_json
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import answers
from ocrqueue.web.service import Service, ServiceOf

T = TypeVar("T")
router = APIRouter(tags=["jobs"])
MAX_WAIT = 60.0  # seconds that a request waits at most
_WAIT = Query(ge=0, description=f"seconds to wait for the end of the job, {MAX_WAIT:.0f} at most")
Wait = Annotated[float, _WAIT]
OptionalWait = Annotated[float | None, _WAIT]


@router.get("/jobs/{job}", response_model=JobObject, responses=answers(404))
async def job(job: str, service: ServiceOf, key: Reader, wait: Wait = 0, pages: bool = False) -> Response:
    """A job. With `wait`, answers when the job has ended, or after that time with the job as it is then."""
    handle, status = await run_sync(seen_job, service, key, job)
    if wait and not status.has_ended:
        status = await service.watch.wait(handle.id, min(wait, MAX_WAIT))
    found = job_json(status, service.settings.root_path)
    if pages:
        found["page_states"] = _states(await run_sync(handle.page_states))
    return JSONResponse(found)


@router.post("/jobs/{job}/cancel", response_model=JobObject, responses=answers(403, 404))
async def cancel(job: str, service: ServiceOf, key: Reader) -> Response:
    """Cancel the pages that no worker has started. Pages that were read are kept.

    If the job has ended, the search for its structure is cancelled.
    """
    found, stopped = await _changed(service, key, job, Job.cancel)
    return JSONResponse({**found, "stopped": stopped})


@router.post("/jobs/{job}/retry", response_model=JobObject, responses=answers(403, 404, 409))
async def retry(job: str, service: ServiceOf, key: Reader) -> Response:
    """Read the failed and cancelled pages of a job again."""
    found, _ = await _changed(service, key, job, Job.retry)
    return JSONResponse(found)


@router.delete("/jobs/{job}", status_code=204, responses=answers(403, 404, 409))
async def drop(job: str, service: ServiceOf, key: Reader) -> Response:
    """Remove a job that has ended, with its document, pages and results."""
    await run_sync(_change, service, key, job, Job.drop)
    return Response(status_code=204)


async def _changed(service: Service, key: Key, job: str, action: Callable[[Job], T]) -> tuple[dict[str, Any], T]:
    """The job after an action of the caller, and what the action returned."""
    handle, answer = await run_sync(_change, service, key, job, action)
    service.watch.look_at(handle.id)
    return job_json(await run_sync(handle.status), service.settings.root_path), answer


def _change(service: Service, key: Key, job: str, action: Callable[[Job], T]) -> tuple[Job, T]:
    handle, _ = own_job(service, key, job)
    return handle, action(handle)


def _states(pages: Iterable[PageRecord]) -> dict[str, str]:
    """Page numbers as ranges, by state; states that no page has are left out."""
    found: dict[str, PageSet] = {}
    for page in pages:
        found.setdefault(page.state, PageSet()).add(page.number)
    return {state: str(numbers) for state, numbers in found.items()}
