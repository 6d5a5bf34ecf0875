"""The results of jobs."""

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from ocrqueue.client import Job, JobStatus
from ocrqueue.errors import StorageError
from ocrqueue.formats import FORMATS
from ocrqueue.states import FormatName
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.files import NAME, SpoolFile, download_name
from ocrqueue.web.problems import answers
from ocrqueue.web.results import not_ready, stored_result
from ocrqueue.web.routes.jobs import MAX_WAIT, OptionalWait
from ocrqueue.web.service import Service, ServiceOf

router = APIRouter(tags=["jobs"])
_CONTENT: dict[str, dict[str, str]] = {kind.media_type.partition(";")[0]: {} for kind in FORMATS.values()}
_ANSWERS = {
    **answers(404, 409, 416),
    200: {"description": "The result", "content": _CONTENT},
    206: {"description": "The part of it that `Range` asks for", "content": _CONTENT},
    304: {"description": "The client has it already, as `If-None-Match` says"},
}


@router.get("/jobs/{job}/result", response_class=Response, responses=_ANSWERS)
async def result(
    job: str,
    request: Request,
    service: ServiceOf,
    key: Reader,
    format: Annotated[FormatName, Query(description="the output format")] = FormatName.JSON,
    structure: Annotated[bool, Query(description="with the blocks of its pages, also if nobody has asked yet")] = False,
    wait: OptionalWait = None,
) -> Response:
    """The result of a job that has ended, in any format; `ETag`, `If-None-Match` and `Range` are supported.

    A format that a worker makes from the document, such as `pdf`, is waited for up to a minute; and so is the structure
    of the pages, from which Markdown and HTML are made, but for `wait` seconds if that is given.
    """
    handle, status = await run_sync(seen_job, service, key, job)
    if wait and not status.has_ended:
        status = await service.watch.wait(handle.id, min(wait, MAX_WAIT))
    patience = None if wait is None else min(wait, MAX_WAIT)
    return await sent_result(request, service, handle, status, format, structure, patience)


_BYTES: dict[str, Any] = {"content": {"application/octet-stream": {}}}


@router.get(
    "/jobs/{job}/document",
    response_class=Response,
    responses={
        **answers(404, 409, 416),
        200: {"description": "The document", **_BYTES},
        206: {"description": "The part of it that `Range` asks for", **_BYTES},
        304: {"description": "The client has it already, as `If-None-Match` says"},
    },
)
async def document(job: str, request: Request, service: ServiceOf, key: Reader) -> Response:
    """The document as it was submitted, to be stored and not shown, because anybody may have written it."""
    handle, status = await run_sync(seen_job, service, key, job)
    return await sent_document(request, service, handle, status)


async def sent_document(request: Request, service: Service, handle: Job, status: JobStatus) -> Response:
    """The document of a job as the answer to a request. Raises ApiError, StorageError."""
    file = await run_sync(handle.document)
    if file is None:
        raise not_ready(f"no worker has fetched the document of job {handle.id} yet; ask again")
    try:
        return await SpoolFile(
            service.client.spool, handle.id, file, "application/octet-stream", status.name[-NAME:]
        ).answer(request)
    except FileNotFoundError:
        raise StorageError(f"the spool has lost the document of job {handle.id}; submit it again") from None


async def sent_result(
    request: Request,
    service: Service,
    handle: Job,
    status: JobStatus,
    format: FormatName,
    structure: bool = False,
    structure_seconds: float | None = None,
) -> Response:
    """The result of a job as the answer to a request. Raises what `stored_result` raises."""
    file = await stored_result(service, handle, status, format, MAX_WAIT, structure, structure_seconds)
    kind = FORMATS[format]
    name = download_name(status.name, kind.extension)
    try:
        return await SpoolFile(service.client.spool, handle.id, file, kind.media_type, name).answer(request)
    except FileNotFoundError:
        raise StorageError(f"the spool has lost the result of job {handle.id}; submit the document again") from None
