"""Errors as problem documents (RFC 9457), with the project's error codes."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ocrqueue.client import Client
from ocrqueue.errors import OcrError, OcrFailed, StorageError, Unconfirmed, UnknownJob, WrongState

MEDIA_TYPE = "application/problem+json"
_JOBS = ("job", "task", "file", "operation")  # names of the part of a path that is the id of a job
_READING = (StorageError, OcrFailed, WrongState)  # what comes of a job that is dropped while it is read or changed
# Names of HTTP statuses as in RFC 9110, which Python has from 3.13 on.
_PHRASES = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
RETRY_SECONDS = 5  # the Retry-After of an answer 503
# The HTTP status of an error code; 500 for codes that are not listed.
STATUS = {
    "invalid_request": 422,  # a parameter of the request has a wrong type or value
    "invalid_options": 422,
    "incomplete_request": 400,  # the body is damaged, or ended too early
    "upload_stalled": 408,
    "key_in_use": 409,  # another request with the same idempotency key is still being taken
    "too_many_open_pages": 429,  # the jobs of the API key have as many as it allows
    "busy": 503,  # the process receives as many uploads as OCR_HTTP_UPLOADS allows
    "origin_not_allowed": 403,  # a web page sent the request, or the name in Host is not allowed
    "key_missing": 401,  # the request has no API key, or a wrong one
    "session_token": 403,  # a change in a session of the web UI lacks the token of its page
    "key_rights": 403,  # the API key lacks a right
    "rate_limited": 429,  # the API key sends too many requests
    "unknown_job": 404,
    "unknown_delivery": 404,
    "not_found": 404,  # no such path, page or format
    "not_allowed": 405,  # the path has other methods
    "wrong_state": 409,
    "not_ready": 409,  # the job has not ended
    "range_not_satisfiable": 416,  # the file has no such bytes
    "too_large": 413,
    "empty_file": 422,
    "unsupported_format": 415,
    "source_not_allowed": 422,
    "language_missing": 422,
    "queue_full": 503,
    "queue_unavailable": 503,
    "storage_error": 503,
    "model_directory": 409,
    "wait_timeout": 504,
}


class ApiError(OcrError):
    """An error of a request. `code` is a key of STATUS; `headers` are sent with the answer."""

    def __init__(self, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message, code)
        self.headers = headers or {}


def status_of(error: OcrError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, OcrFailed):  # the job, not the request, has failed
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return STATUS.get(error.code, 500)


def headers_of(error: OcrError) -> dict[str, str]:
    """The HTTP headers of an error: when to try again, how to authenticate."""
    found = dict(error.headers) if isinstance(error, ApiError) else {}
    if status_of(error) == HTTPStatus.SERVICE_UNAVAILABLE:
        found.setdefault("Retry-After", str(RETRY_SECONDS))
    if error.code == "key_missing":
        found.setdefault("WWW-Authenticate", "Bearer")
    return found


def document(error: OcrError) -> dict[str, Any]:
    """The problem document of an error: type, title, status, detail, code, and the job of an Unconfirmed."""
    status = status_of(error)
    found = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "detail": error.message,
        "code": error.code,
    }
    return {**found, "job": error.job} if isinstance(error, Unconfirmed) else found


def _phrase(status: int) -> str:
    """The name of an HTTP status, the same with each Python."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def problem(error: OcrError) -> JSONResponse:
    """The answer to a request that failed with this error."""
    return JSONResponse(document(error), status_of(error), headers_of(error), MEDIA_TYPE)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The argument `responses` of an endpoint that answers with problem documents of these HTTP statuses."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _phrase(status), "content": schema} for status in statuses}


def add_handlers(app: FastAPI, error_page: Callable[[Request, OcrError], Response]) -> None:
    """Answer every error of this application: programs get a problem document, browsers that go there `error_page`."""

    async def answer(request: Request, error: Exception) -> Response:
        known = await error_of(request, error)
        return error_page(request, known) if _is_visit(request) else problem(known)

    for kind in (OcrError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _is_visit(request: Request) -> bool:
    """Whether a person's browser goes to this address. Programs may ask for results in HTML, so the API needs more."""
    wants_html = request.headers.get("Accept", "").lstrip().lower().startswith("text/html")
    is_api = request.url.path.removeprefix(request.scope.get("root_path", "")).startswith("/api/")
    return wants_html and (not is_api or request.headers.get("Sec-Fetch-Mode") == "navigate")


async def error_of(request: Request, error: Exception) -> OcrError:
    """The error as one of this project. It is UnknownJob if the job of the path was dropped meanwhile."""
    job = next((request.path_params[name] for name in _JOBS if name in request.path_params), None)
    if job is not None and isinstance(error, _READING):
        return await run_sync(_unless_dropped, request.app.state.service.client, job, error)
    if isinstance(error, OcrError):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return ApiError("invalid_request", f"{where}: {first['msg']}")
    if isinstance(error, HTTPException):
        return _http_error(request, error)
    return OcrError("an unforeseen error; the log of the web process has the details")


def _unless_dropped(client: Client, job: str, error: OcrError) -> OcrError:
    """The error of a job that exists; UnknownJob if there is none."""
    try:
        client.job(job).status()
    except UnknownJob as e:
        return e
    except OcrError:  # whether it exists is not known
        pass
    return error


def _http_error(request: Request, error: HTTPException) -> ApiError:
    code = {404: "not_found", 405: "not_allowed", 413: "too_large"}.get(error.status_code, "invalid_request")
    detail = str(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:  # the router's own words, which do not say what to do
        detail = {
            "not_found": "there is nothing at this path: /openapi.json lists the paths of the HTTP API",
            "not_allowed": f"this path does not take {request.method}: /openapi.json lists the methods of each path",
        }.get(code, detail)
    return ApiError(code, detail, dict(error.headers or {}))
