"""The API of Open WebUI's external document loader: a document in, its text in the answer."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ocrqueue.errors import OcrError, OcrFailed
from ocrqueue.web.callers import Submitter
from ocrqueue.web.compat import conversion
from ocrqueue.web.content.pieces import list_of, streamed
from ocrqueue.web.problems import headers_of, status_of
from ocrqueue.web.results import result_of
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.shaped import answering


def _error(_request: Request, error: OcrError) -> Response:
    """An error with its message in `detail`. A document without any text is the client's (422), not ours."""
    status = 422 if isinstance(error, OcrFailed) else status_of(error)
    return JSONResponse({"detail": error.message, "code": error.code}, status, headers_of(error))


router = APIRouter(tags=["Open WebUI"], route_class=answering(_error))


@router.put("/process")
async def process(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Read the document that is the body, and answer with one item for each page."""
    async with service.receiver.document(request) as received:
        job = await conversion.submit_source(service, caller, received, {})
    status = await conversion.ended(service, job, conversion.WAIT_SECONDS)
    header, pages = await result_of(service, service.client.job(job), status)
    items = (_item(page, job, header["source"]) for page in pages if page["state"] == "ok")
    return await streamed(service.makers, list_of(items))


def _item(page: Mapping[str, Any], job: str, source: Mapping[str, Any]) -> dict[str, Any]:
    about = {"source": source["name"], "page": page["page"] - 1, "total_pages": source["pages"], "job": job}
    return {"page_content": page["markdown"], "metadata": about}
