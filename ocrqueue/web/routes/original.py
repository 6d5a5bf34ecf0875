"""Two endpoints of the service that this project replaces; its clients go on unchanged."""

from collections.abc import Iterator
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ocrqueue.client.children import Outcome
from ocrqueue.errors import DOCUMENT_CODES, OcrError
from ocrqueue.states import FormatName
from ocrqueue.web.callers import Operator, Submitter
from ocrqueue.web.content.pieces import dumped, streamed, text_of
from ocrqueue.web.intake.parameters import from_texts
from ocrqueue.web.intake.schema import ORIGINAL
from ocrqueue.web.intake.submitting import submit, taking
from ocrqueue.web.intake.waiting import wait_for
from ocrqueue.web.problems import STATUS, ApiError, headers_of
from ocrqueue.web.results import text_of as stored_text
from ocrqueue.web.routes.operations import free_models
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.settings import PREFIX
from ocrqueue.web.shaped import answering

MAX_WAIT = 300.0  # seconds that a request waits for the text
_UNLOAD_SECONDS = 60.0  # for the worker children to free their models; a child that reads a page may take longer
_FIELDS = ("image", "file")


def _failed(_request: Request, error: OcrError) -> Response:
    """An error as these endpoints show it."""
    status = STATUS.get(error.code, 422 if error.code in DOCUMENT_CODES else 500)
    return JSONResponse({"success": False, "error": error.message}, status, headers_of(error))


router = APIRouter(tags=["original"], route_class=answering(_failed))


class Text(BaseModel):
    """The text of a document."""

    success: Literal[True]
    text: str = Field(description="pages are separated by form feeds")
    job: str = Field(description="id of the job that read it")


class Failure(BaseModel):
    """Why there is no text."""

    success: Literal[False]
    error: str


class Unloaded(BaseModel):
    """What became of the models."""

    success: Literal[True]
    message: str


_ERRORS: dict[int | str, dict[str, Any]] = {"default": {"model": Failure}}


@router.post("/api/ocr", response_model=Text, responses=_ERRORS, openapi_extra=ORIGINAL)
async def ocr(request: Request, service: ServiceOf, caller: Submitter) -> Response:
    """Read an image or document, sent as the form field `image` or `file`, and answer with its text."""
    async with taking(service, caller, None), service.receiver.form(request, _FIELDS) as arrived:
        if len(arrived.files) != 1:
            raise ApiError("invalid_request", "send one document, in the form field image or file")
        parameters = from_texts(arrived.fields)
        taken = await submit(service, caller, arrived.files[0], parameters)
    job = taken.job.id
    status = (await wait_for(request, service, [job], MAX_WAIT, keyed="key" in parameters)).get(job, taken.job)
    if not status.has_ended:
        raise ApiError(
            "wait_timeout", f"no text within {MAX_WAIT:.0f} s; the job goes on, and {PREFIX}/jobs/{job} shows it"
        )
    text = await stored_text(service, service.client.job(job), status, FormatName.TEXT, MAX_WAIT)
    return await streamed(service.makers, _answer(job, text))


def _answer(job: str, text: Iterator[str]) -> Iterator[str]:
    yield dumped({"success": True, "job": job})[:-1] + ', "text": '
    yield from text_of(text)
    yield "}"


@router.post("/api/unload-model", response_model=Unloaded, responses=_ERRORS)
async def unload_model(service: ServiceOf, _caller: Operator) -> Response:
    """Let all worker children free their models."""
    answers = await free_models(service.client, _UNLOAD_SECONDS)
    busy = sum(answer.outcome == Outcome.BUSY for answer in answers)
    said = f"{len(answers) - busy} of {len(answers)} worker children have freed their models"
    return JSONResponse({"success": True, "message": said + (f"; {busy} are still reading a page" if busy else "")})
