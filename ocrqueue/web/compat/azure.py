"""Azure Document Intelligence, version 2024-11-30, with the models prebuilt-read and prebuilt-layout.

Its API: https://learn.microsoft.com/rest/api/aiservices/document-models. The id of an operation is the id of the job.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from ocrqueue.client import JobStatus
from ocrqueue.client.submission import Parameters
from ocrqueue.errors import OcrError
from ocrqueue.states import FormatName, JobState
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader, Submitter
from ocrqueue.web.compat import conversion
from ocrqueue.web.compat.azure_result import API_VERSION, MARKDOWN, TEXT, analyze_result
from ocrqueue.web.content.pieces import dumped, streamed
from ocrqueue.web.intake.urls import url_source
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import ApiError, headers_of, status_of
from ocrqueue.web.results import result_of
from ocrqueue.web.routes.results import sent_result
from ocrqueue.web.service import Service, ServiceOf
from ocrqueue.web.shaped import answering

_MODELS = ("prebuilt-read", "prebuilt-layout")
_RETRY_SECONDS = 1  # the Retry-After of an operation that runs
_FAILED = (JobState.FAILED, JobState.CANCELLED)
_CODES = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: "TooManyRequests", 503: "ServiceUnavailable"}


def _error(_request: Request, error: OcrError) -> Response:
    """An error in Azure's shape, with our code inside."""
    status = status_of(error)
    code = _CODES.get(status, "InternalServerError" if status >= 500 else "InvalidRequest")
    inner = {"code": error.code, "message": error.message}
    body = {"error": {"code": code, "message": error.message, "innererror": inner}}
    return JSONResponse(body, status, headers_of(error))


router = APIRouter(
    prefix="/documentintelligence/documentModels", tags=["Azure Document Intelligence"], route_class=answering(_error)
)


@router.post("/{model}:analyze", status_code=202)
async def analyze(
    model: str,
    request: Request,
    service: ServiceOf,
    caller: Submitter,
    pages: str | None = None,
    locale: str | None = None,
    output: Annotated[list[str] | None, Query()] = None,
    content_format: Annotated[str, Query(alias="outputContentFormat", pattern=f"^({TEXT}|{MARKDOWN})$")] = TEXT,
) -> Response:
    """Submit a document: as the body, or as base64 or a URL in a JSON body. Answers 202 with Operation-Location."""
    _check_model(model)
    parameters: Parameters = {"pages": pages, "lang": locale}
    if any("pdf" in one.split(",") for one in output or ()):
        parameters["formats"] = [FormatName.PDF]
    job = await _submit(service, caller, request, parameters)
    base = str(request.base_url).rstrip("/")
    location = f"{base}{router.prefix}/{model}/analyzeResults/{job}?api-version={API_VERSION}"
    if content_format != TEXT:
        location += f"&outputContentFormat={content_format}"
    return Response(status_code=202, headers={"Operation-Location": location, "Retry-After": str(_RETRY_SECONDS)})


@router.get("/{model}/analyzeResults/{operation}")
async def analyze_state(
    model: str,
    operation: str,
    service: ServiceOf,
    caller: Reader,
    content_format: Annotated[str, Query(alias="outputContentFormat", pattern=f"^({TEXT}|{MARKDOWN})$")] = TEXT,
) -> Response:
    """The state of an operation, and its result when it has succeeded."""
    _check_model(model)
    handle, status = await run_sync(seen_job, service, caller, operation)
    body: dict[str, Any] = {
        "status": _state(status),
        "createdDateTime": _time(status.created),
        "lastUpdatedDateTime": _time(status.ended or status.created),
    }
    if not status.has_ended:
        return JSONResponse(body, headers={"Retry-After": str(_RETRY_SECONDS)})
    if body["status"] == "failed":
        error = await conversion.first_error(service, status.id)
        return JSONResponse({**body, "error": {"code": error.code, "message": error.message}})
    _, pages = await result_of(service, handle, status)
    return await streamed(service.makers, _succeeded(body, analyze_result(pages, model, content_format)))


def _succeeded(body: Mapping[str, Any], result: Iterator[str]) -> Iterator[str]:
    yield dumped(body)[:-1] + ', "analyzeResult": '
    yield from result
    yield "}"


@router.get("/{model}/analyzeResults/{operation}/pdf")
async def searchable_pdf(model: str, operation: str, request: Request, service: ServiceOf, caller: Reader) -> Response:
    """The document as a searchable PDF."""
    _check_model(model)
    handle, status = await run_sync(seen_job, service, caller, operation)
    return await sent_result(request, service, handle, status, FormatName.PDF)


@router.delete("/{model}/analyzeResults/{operation}", status_code=204)
async def delete(model: str, operation: str, service: ServiceOf, caller: Reader) -> Response:
    """Remove an operation: the job, its document and its results."""
    _check_model(model)
    await conversion.remove(service, caller, operation)
    return Response(status_code=204)


async def _submit(service: Service, caller: Key, request: Request, parameters: Parameters) -> str:
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        async with service.receiver.document(request) as received:
            return await conversion.submit_source(service, caller, received, parameters)
    async with service.receiver.json(request) as body:
        if addresses := conversion.texts_in(body.values, "urlSource"):
            return await conversion.submit_source(service, caller, url_source(addresses[0], "urlSource"), parameters)
        text = body.values.get("base64Source")
        return await conversion.submit_base64(service, caller, body, text, "base64Source", "document", parameters)


def _check_model(model: str) -> None:
    if model not in _MODELS:
        raise ApiError("not_found", f"there is no model {model[:80]!r}: use {' or '.join(_MODELS)}")


def _state(status: JobStatus) -> str:
    """Azure's word for the state of a job. It is never notStarted, which some clients take for an error."""
    if not status.has_ended:
        return "running"
    return "failed" if status.state in _FAILED and not status.ok else "succeeded"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
