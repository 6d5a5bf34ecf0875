"""The API of docling-serve (https://github.com/docling-project/docling-serve): one document in each request.

Clients choose what they get with `to_formats`. Options that this project does not have are accepted and have no effect.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from ocrqueue import __version__
from ocrqueue.client import JobStatus
from ocrqueue.client.submission import Parameters
from ocrqueue.errors import OcrError, OcrFailed, UnknownJob
from ocrqueue.states import FormatName, JobState
from ocrqueue.web.callers import Reader, Submitter
from ocrqueue.web.compat import conversion
from ocrqueue.web.compat.docling_document import docling_document
from ocrqueue.web.content.pieces import dumped, list_of, streamed, text_of
from ocrqueue.web.intake import json_text
from ocrqueue.web.intake.receiving import ArrivedJson
from ocrqueue.web.intake.urls import url_source
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import ApiError, headers_of, status_of
from ocrqueue.web.results import result_of
from ocrqueue.web.results import text_of as stored_text
from ocrqueue.web.service import Service, ServiceOf
from ocrqueue.web.shaped import answering

LIMIT = 120.0  # seconds that a synchronous request waits: docling-serve's default
_FILE_FIELDS = ("files", "file")
_DEFAULT_FORMATS = ("md",)
_FAILED_PAGE = '"error": {'  # in the JSON of a page that was not read
_KINDS = ("md", "json", "html", "text", "doctags")  # of contents in an answer
_CONTENTS = {
    "md": FormatName.MARKDOWN,
    "html": FormatName.HTML,
    "text": FormatName.TEXT,
}  # to_formats that are formats of ours
_TASKS = {
    JobState.QUEUED: "pending",
    JobState.RUNNING: "started",
    JobState.FAILED: "failure",
    JobState.CANCELLED: "failure",
}  # of a task; a job that ended with text is a success, also if pages are missing
_DOCUMENTS = {JobState.DONE: "success", JobState.PARTIAL: "partial_success", JobState.CANCELLED: "partial_success"}


def _error(_request: Request, error: OcrError) -> Response:
    """An error in docling-serve's shape: its clients show `detail`."""
    headers = headers_of(error)
    if isinstance(error, UnknownJob):
        return JSONResponse({"detail": "Task not found."}, 404, headers)
    return JSONResponse({"detail": error.message, "code": error.code}, status_of(error), headers)


router = APIRouter(tags=["docling-serve"], route_class=answering(_error))


@router.get("/health")
async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/version")
async def version() -> dict[str, str]:
    """The version of this project, which docling's client asks for."""
    return {"ocr-queue": __version__}


@router.post("/v1/convert/file")
async def convert_file(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Read a document and answer with its contents."""
    started = time.monotonic()
    job, formats = await _submit_file(service, caller, request)
    return await _converted(service, job, formats, started)


@router.post("/v1/convert/file/async")
async def convert_file_later(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Submit a document. The answer has the id of its task, which is the id of the job."""
    job, _ = await _submit_file(service, caller, request)
    return _task(await conversion.status_of_job(service, caller, job))


@router.post("/v1/convert/source")
async def convert_source(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Read a document that is in the JSON body or at a URL, and answer with its contents."""
    started = time.monotonic()
    job, formats = await _submit_source(service, caller, request)
    return await _converted(service, job, formats, started)


@router.post("/v1/convert/source/async")
async def convert_source_later(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Submit a document that is in the JSON body or at a URL."""
    job, _ = await _submit_source(service, caller, request)
    return _task(await conversion.status_of_job(service, caller, job))


@router.get("/v1/status/poll/{task}")
async def poll(task: str, service: ServiceOf, caller: Reader, wait: Annotated[float, Query(ge=0)] = 0) -> Response:
    """The state of a task, at once or when it has ended, after `wait` seconds at the latest."""
    status = await conversion.status_of_job(service, caller, task)
    if wait and not status.has_ended:
        status = await service.watch.wait(status.id, min(wait, LIMIT))
    return _task(status)


@router.get("/v1/result/{task}")
async def result(task: str, service: ServiceOf, caller: Reader) -> Response:
    """The contents of a document whose task has ended, in every format that a client may have asked for."""
    status = await conversion.status_of_job(service, caller, task)
    if not status.has_ended:
        return JSONResponse({"detail": "Task result not found. Please wait for a completion status."}, 404)
    return await _converted(service, status.id, (*_CONTENTS, "json"), None)


async def _submit_file(service: Service, caller: Key, request: Request) -> tuple[str, tuple[str, ...]]:
    """Submit the document of a form. Returns the job's id, and the formats that are wanted."""
    async with service.receiver.form(request, _FILE_FIELDS) as arrived:
        options: dict[str, Any] = {}
        for name, value in arrived.fields:
            if name in ("to_formats", "ocr_lang", "page_range"):
                options.setdefault(name, []).extend(_items(value))
            else:
                options[name] = value
        _check_target(options.get("target_type", "inbody"))
        if len(arrived.files) != 1:
            raise ApiError("invalid_request", "send one document in each request, in the field files")
        formats, parameters = _formats(options), _parameters(options)
        return await conversion.submit_source(service, caller, arrived.files[0], parameters), formats


async def _submit_source(service: Service, caller: Key, request: Request) -> tuple[str, tuple[str, ...]]:
    """Submit the document of a JSON body. Returns the job's id, and the formats that are wanted."""
    async with service.receiver.json(request) as arrived:
        return await _submit_json(service, caller, arrived)


async def _submit_json(service: Service, caller: Key, arrived: ArrivedJson) -> tuple[str, tuple[str, ...]]:
    body = arrived.values
    options, sources, target = body.get("options") or {}, body.get("sources"), body.get("target") or {}
    if not (isinstance(options, dict) and isinstance(sources, list) and isinstance(target, dict)):
        raise ApiError("invalid_request", "options and target must be objects, and sources a list")
    _check_target(target.get("kind", "inbody"))
    if len(sources) != 1 or not isinstance(sources[0], dict):
        raise ApiError("invalid_request", "send one document in each request, as the only item of sources")
    source, formats, parameters = sources[0], _formats(options), _parameters(options)
    if source.get("kind") == "http":
        address = url_source(source.get("url"), "sources.0.url")
        return await conversion.submit_source(service, caller, address, parameters), formats
    if source.get("kind") == "file":
        text, where = source.get("base64_string"), "sources.0.base64_string"
        name = next(iter(conversion.texts_in(source, "filename")), "document")
        return await conversion.submit_base64(service, caller, arrived, text, where, name, parameters), formats
    raise ApiError("invalid_request", "sources.0 must have the kind http with a url, or file with a base64_string")


def _check_target(kind: object) -> None:
    if kind != "inbody":
        # clients fall back to the answer itself when they read these words
        raise ApiError("invalid_request", f"target kind {kind!r}: input should be 'inbody' (presigned_url is not kept)")


def _parameters(options: Mapping[str, Any]) -> Parameters:
    """Our parameters for docling's options."""
    found: Parameters = {}
    languages = [name for name in conversion.texts_of(options.get("ocr_lang") or [], "ocr_lang") if name]
    if languages and languages != ["auto"]:
        found["lang"] = "+".join(languages)
    if str(options.get("force_ocr", "")).lower() == "true":
        found["text_layer"] = "ignore"
    pages = options.get("page_range") or []
    if pages:
        try:
            first, last = (int(page) for page in pages)
        except (TypeError, ValueError):
            raise ApiError("invalid_request", "page_range must be two numbers: the first and the last page") from None
        if (ranges := conversion.page_ranges(first, last)) is not None:
            found["pages"] = ranges
    return found


def _items(value: str) -> list[Any]:
    """The items of a form field: one, several separated by commas, or a JSON list."""
    try:
        items = json_text.parsed(value)
    except ValueError:
        items = value.split(",")
    return items if isinstance(items, list) else [items]


def _formats(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The formats that are wanted, each once. Raises ApiError."""
    given = options.get("to_formats") or list(_DEFAULT_FORMATS)
    return tuple(dict.fromkeys(conversion.texts_of([given] if isinstance(given, str) else given, "to_formats")))


def _task(status: JobStatus) -> JSONResponse:
    """The state of a job as docling-serve's task. Always with the status 200."""
    has_text = status.has_ended and status.ok > 0
    name = "success" if has_text else _TASKS.get(status.state, "success")
    outcome = _DOCUMENTS.get(status.state) if has_text else None
    body = {
        "task_id": status.id,
        "task_type": "convert",
        "task_status": name,
        "task_position": None,
        "task_meta": {
            "num_docs": 1,
            "num_processed": int(status.has_ended),
            "num_succeeded": int(outcome == "success"),
            "num_partially_succeeded": int(outcome == "partial_success"),
            "num_failed": int(name == "failure"),
        },
        "error_message": f"{status.code}: {status.message}" if status.code else None,
    }
    return JSONResponse(body)


async def _converted(service: Service, job: str, formats: tuple[str, ...], started: float | None) -> Response:
    """Docling's answer for a job, when it has ended. `started` is in seconds of time.monotonic()."""
    status = await conversion.ended(service, job, LIMIT)
    handle, contents = service.client.job(job), dict[str, Iterator[str]]()
    errors: Iterable[object] = ()
    outcome = _DOCUMENTS.get(status.state, "failure")
    try:
        errors = _errors((await result_of(service, handle, status, _FAILED_PAGE))[1])
        for name in formats:
            if name == "json":
                header, pages = await result_of(service, handle, status)
                contents[name] = docling_document(header["source"]["name"], pages)
            elif name in _CONTENTS:
                wait = conversion.WAIT_SECONDS
                contents[name] = text_of(await stored_text(service, handle, status, _CONTENTS[name], wait))
    except OcrFailed as e:
        errors, outcome = [_item(e.message, None)], "failure"
    seconds = time.monotonic() - started if started is not None else (status.ended or 0) - status.created
    about = {"status": outcome, "processing_time": round(max(seconds, 0.0), 3), "timings": {}}
    return await streamed(service.makers, _answer(about, status.name, contents, errors))


def _answer(
    about: Mapping[str, Any], name: str, contents: Mapping[str, Iterator[str]], errors: Iterable[object]
) -> Iterator[str]:
    """The JSON of an answer in parts. `name` is that of the document."""
    empty = {f"{kind}_content": None for kind in _KINDS if kind not in contents}
    yield dumped(about)[:-1] + ', "document": ' + dumped({"filename": name, **empty})[:-1]
    for kind, parts in contents.items():
        yield f', "{kind}_content": '
        yield from parts
    yield '}, "errors": '
    yield from list_of(errors)
    yield "}"


def _errors(pages: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The errors of the pages that were not read."""
    for page in pages:
        if error := page["error"]:
            yield _item(f"{error['code']}: {error['message']}", page["page"])


def _item(message: str, page: int | None) -> dict[str, Any]:
    return {"component_type": "pipeline", "module_name": "ocrqueue", "error_message": message, "page_no": page}
