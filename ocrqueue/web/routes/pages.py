"""The pages of a job: their states, and each page as the result has it."""

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from ocrqueue.client import Job
from ocrqueue.errors import StorageError
from ocrqueue.states import ImageFormat, PageState
from ocrqueue.storage.page_images import WIDTHS
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.files import SpoolFile, download_name
from ocrqueue.web.content.pieces import parts_of, streamed
from ocrqueue.web.content.shapes import PageList, page_state_json
from ocrqueue.web.problems import ApiError, answers
from ocrqueue.web.results import made, not_ready
from ocrqueue.web.routes.jobs import MAX_WAIT
from ocrqueue.web.service import ServiceOf

router = APIRouter(tags=["jobs"])
_IMAGES: dict[str, dict[str, str]] = {f"image/{format}": {} for format in ImageFormat}
Number = Annotated[int, Path(ge=1, le=1_000_000, description="number of the page in the document")]
Limit = Annotated[int, Query(ge=1, le=1000, description="items at most")]
After = Annotated[str | None, Query(alias="cursor", pattern=r"^[0-9]{1,7}$", description="the `next_cursor` before")]


@router.get("/jobs/{job}/pages", response_model=PageList, responses=answers(404))
def pages(
    job: str,
    service: ServiceOf,
    key: Reader,
    state: Annotated[PageState | None, Query(description="only pages in this state")] = None,
    limit: Limit = 200,
    cursor: After = None,
) -> dict[str, Any]:
    """The states of a job's pages, in the order of their numbers. Empty until the document is opened."""
    handle, _ = seen_job(service, key, job)
    after = int(cursor or 0)
    found = [page for page in handle.page_states() if page.number > after and state in (None, page.state)]
    shown = found[:limit]
    more = str(shown[-1].number) if len(found) > limit else None
    return {"items": [page_state_json(page) for page in shown], "next_cursor": more}


@router.get(
    "/jobs/{job}/pages/{number}",
    response_class=JSONResponse,
    responses={**answers(404, 409), 200: {"description": "The page, as in the result (`pages` of result.schema.json)"}},
)
async def page(job: str, number: Number, service: ServiceOf, key: Reader) -> Response:
    """A page that has finished, also before the job ends. A page that failed has an `error`."""
    handle, _ = await run_sync(seen_job, service, key, job)
    found = await run_sync(finished_page, handle, number)
    return await streamed(service.makers, parts_of(found, len(found["lines"])))


@router.get(
    "/jobs/{job}/pages/{number}/image",
    response_class=Response,
    responses={
        **answers(404, 409, 416),
        200: {"description": "The image", "content": _IMAGES},
        206: {"description": "The part of it that `Range` asks for", "content": _IMAGES},
        304: {"description": "The client has it already, as `If-None-Match` says"},
    },
)
async def image(
    job: str,
    number: Number,
    request: Request,
    service: ServiceOf,
    key: Reader,
    width: Annotated[
        int | None, Query(ge=1, le=WIDTHS[-1], description="at least so many pixels; else the page's own size")
    ] = None,
    format: Annotated[ImageFormat, Query(description="of the image")] = ImageFormat.JPEG,
) -> Response:
    """The image of a page that has finished, upright as it was read; a worker makes it at the first request.

    A box of the result fits after multiplication by the width of the image divided by the `width` of the page.
    """
    handle, status = await run_sync(seen_job, service, key, job)
    making = await run_sync(handle.making_image, number, width, format)
    if making is None:
        await run_sync(finished_page, handle, number)  # raises the reason
        raise not_ready(f"page {number} of job {handle.id} was not read yet; ask again")
    await made(service, making, MAX_WAIT)
    name = download_name(status.name, f".{number}.{format}")
    file = SpoolFile(service.client.spool, handle.id, making.file, f"image/{format}", name, inline=True)
    try:
        return await file.answer(request)
    except FileNotFoundError:
        raise StorageError(f"the spool has lost the image of page {number} of job {handle.id}; ask again") from None


def finished_page(job: Job, number: int) -> dict[str, Any]:
    """A page as in the result. Raises ApiError if it has not finished, or was not asked for."""
    found = job.page(number)
    if found is not None:
        return found
    status = job.status()
    if status.pages is None and not status.has_ended:
        raise not_ready(f"the document of job {job.id} is not opened yet")
    if number in (page.number for page in job.page_states()):
        raise not_ready(f"page {number} of job {job.id} is not read yet; follow `events`")
    raise ApiError("not_found", f"job {job.id} has no page {number}")
