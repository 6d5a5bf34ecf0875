"""Mistral's OCR API (https://docs.mistral.ai/api/endpoint/ocr), as LibreChat, LiteLLM and Mistral's own client use it.

A file that is uploaded becomes a job at once; its id is the id of the job. The field `model` has no effect.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ocrqueue.client import JobStatus
from ocrqueue.client.submission import Parameters
from ocrqueue.errors import OcrError
from ocrqueue.page_set import PageSet
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader, Submitter, check_right
from ocrqueue.web.compat import conversion
from ocrqueue.web.compat.mistral_result import ocr_response
from ocrqueue.web.content.pieces import streamed
from ocrqueue.web.intake.receiving import ArrivedJson
from ocrqueue.web.intake.urls import url_source
from ocrqueue.web.keys import Key, Right
from ocrqueue.web.problems import ApiError, headers_of, status_of
from ocrqueue.web.results import result_of
from ocrqueue.web.routes.results import sent_document
from ocrqueue.web.service import Service, ServiceOf
from ocrqueue.web.shaped import answering

_FILES, _CONTENT = "/v1/files/", "/content"
_MOST_PAGES = 100_000  # that a request may name
_INVALID = 422  # the status of a request with a wrong value


def _error(_request: Request, error: OcrError) -> Response:
    """An error in Mistral's shape: its clients show `message` or `detail`, which is a list if a request is invalid."""
    status = status_of(error)
    detail = [{"loc": [], "msg": error.message, "type": error.code}] if status == _INVALID else error.message
    body = {"object": "error", "message": error.message, "detail": detail, "type": error.code, "code": error.code}
    return JSONResponse(body, status, headers_of(error))


router = APIRouter(tags=["Mistral OCR"], route_class=answering(_error))


@router.post("/v1/files")
async def upload(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Take a document. It is read from now on, before the client asks for its text."""
    async with service.receiver.form(request, ("file",)) as arrived:
        if len(arrived.files) != 1:
            raise ApiError("invalid_request", "send one document in the field file")
        file = arrived.files[0]
        job = await conversion.submit_source(service, caller, file, {})
    return JSONResponse(_file(await conversion.status_of_job(service, caller, job), file.bytes))


@router.get("/v1/files/{file}")
async def retrieve(file: str, service: ServiceOf, caller: Reader) -> Response:
    """What is known of a file."""
    handle, status = await run_sync(seen_job, service, caller, file)
    return JSONResponse(_file(status, await run_sync(handle.document_size)))


@router.get("/v1/files/{file}/content")
async def content(file: str, request: Request, service: ServiceOf, caller: Reader) -> Response:
    """The file as it was uploaded."""
    handle, status = await run_sync(seen_job, service, caller, file)
    return await sent_document(request, service, handle, status)


@router.get("/v1/files/{file}/url")
async def url(file: str, request: Request, service: ServiceOf, caller: Reader) -> Response:
    """The URL of the file, also for `POST /v1/ocr`. It needs the same API key as everything else."""
    status = await conversion.status_of_job(service, caller, file)
    return JSONResponse({"url": f"{str(request.base_url).rstrip('/')}{_FILES}{status.id}{_CONTENT}"})


def _file(status: JobStatus, size: int | None) -> dict[str, Any]:
    """A file as Mistral describes it. Its id is that of its job."""
    return {
        "id": status.id,
        "object": "file",
        "bytes": size or 0,
        "created_at": int(status.created),
        "filename": status.name,
        "purpose": "ocr",
        "sample_type": "ocr_input",
        "source": "upload",
        "deleted": False,
    }


@router.delete("/v1/files/{file}")
async def delete(file: str, service: ServiceOf, caller: Reader) -> Response:
    """Remove a file and its job. Pages that a worker reads at the moment are given up."""
    await conversion.remove(service, caller, file)
    return JSONResponse({"id": file, "object": "file", "deleted": True})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request for the text of a document asks for."""

    job: str  # id
    is_upload: bool  # whether the job is that of an uploaded file, which was read whole
    pages: PageSet | None  # None: all
    with_blocks: bool
    with_confidence: bool


@router.post("/v1/ocr")
async def ocr(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Read a document and answer with the Markdown of its pages."""
    asked = await _asked(service, caller, request)
    status = await conversion.ended(service, asked.job, conversion.WAIT_SECONDS)
    header, pages = await result_of(service, service.client.job(asked.job), status)
    if asked.is_upload and asked.pages is not None:  # the whole file was read when it was uploaded
        pages = _chosen(pages, asked.pages, status)
    model, size = status.model or status.engine or "ocr-queue", header["source"]["bytes"]
    parts = ocr_response(pages, size, model, asked.with_blocks, asked.with_confidence)
    return await streamed(service.makers, parts)


def _chosen(pages: Iterator[dict[str, Any]], numbers: PageSet, status: JobStatus) -> Iterator[dict[str, Any]]:
    """The pages with these numbers. Raises ApiError if there are none."""
    count = 0
    for page in pages:
        if page["page"] in numbers:
            count += 1
            yield page
    if not count:
        raise ApiError("invalid_options", f"pages names no page of the document, which has {status.pages}")


async def _asked(service: Service, caller: Key, request: Request) -> _Asked:
    """What a request asks for, after its document was submitted."""
    async with service.receiver.json(request) as arrived:
        body = arrived.values
        pages = await run_sync(_pages, body.get("pages"))
        job, is_upload = await _job_of(service, caller, request, arrived, pages)
        with_confidence = body.get("confidence_scores_granularity") is not None
        return _Asked(job, is_upload, pages, body.get("include_blocks") is True, with_confidence)


async def _job_of(
    service: Service, caller: Key, request: Request, body: ArrivedJson, pages: PageSet | None
) -> tuple[str, bool]:
    """The job of the document that a request names, and whether it is that of an uploaded file."""
    document = body.values.get("document")
    if not isinstance(document, dict):
        raise ApiError("invalid_request", "document must be an object with document_url, image_url or file_id")
    address = document.get("document_url") or document.get("image_url") or document.get("file_id")
    if isinstance(address, dict):  # {"image_url": {"url": ...}}
        address = address.get("url")
    if not isinstance(address, str):
        raise ApiError("invalid_request", "document needs a document_url, an image_url or a file_id")
    if (file := _file_of(address, request, document.get("type") == "file" or "file_id" in document)) is not None:
        check_right(caller, Right.READ)  # to the text of an earlier job
        return (await conversion.status_of_job(service, caller, file)).id, True
    parameters: Parameters = {} if pages is None else {"pages": str(pages)}
    if address[:5].lower() == "data:":
        name = next(iter(conversion.texts_in(document, "document_name")), "document")
        return await _submit_data(service, caller, body, address, name, parameters), False
    source = url_source(address, "the document's URL, unless it is a data: URL,")
    return await conversion.submit_source(service, caller, source, parameters), False


def _file_of(address: str, request: Request, is_id: bool) -> str | None:
    """The id of the uploaded file that an address names; None if it names something else."""
    if is_id:
        return address
    try:
        parts, own = urlsplit(address), request.base_url
    except ValueError:
        return None
    path = parts.path.removeprefix(own.path.rstrip("/"))
    if parts.netloc != own.netloc or not path.startswith(_FILES):
        return None
    return path.removeprefix(_FILES).removesuffix(_CONTENT)


async def _submit_data(
    service: Service, caller: Key, body: ArrivedJson, address: str, name: str, parameters: Parameters
) -> str:
    """Submit the document of a `data:` URL (RFC 2397). Returns the job's id. Raises OcrError."""
    head, comma, content = address.partition(",")
    if not comma:
        raise ApiError("invalid_request", "the data: URL has no comma")
    if head.endswith(";base64"):
        return await conversion.submit_base64(service, caller, body, content, "the data: URL", name, parameters)
    if content == body.mark:
        raise ApiError("invalid_request", "a data: URL as long as this one must be base64")
    return await conversion.submit_content(service, caller, unquote_to_bytes(content), name, parameters)


def _pages(given: object) -> PageSet | None:
    """The numbers of the pages that are asked for, whose indices count from 0: a list, or a text such as "0,2-4".

    None for all. Raises ApiError.
    """
    if given is None or given == [] or given == "":
        return None
    parts = given if isinstance(given, list) else str(given).replace(" ", "").split(",")
    found: set[int] = set()
    named = 0
    for part in parts:
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", str(part))
        if not match or isinstance(part, bool):
            raise ApiError("invalid_request", 'pages must be numbers from 0, such as [0, 1] or "0,2-4"')
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ApiError("invalid_request", f"the page range {part!r} ends before it begins")
        named += last - first + 1
        if named > _MOST_PAGES:
            raise ApiError("invalid_request", f"pages names more than {_MOST_PAGES:,} pages: leave it out for all")
        found |= set(range(first + 1, last + 2))
    return PageSet(sorted(found))
