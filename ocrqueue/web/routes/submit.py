"""Submitting documents."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ocrqueue.client.submission import Parameters, Received
from ocrqueue.client.submission.many import Document
from ocrqueue.errors import InvalidOptions, OcrError
from ocrqueue.web.callers import Submitter
from ocrqueue.web.content.shapes import JobObject, job_json
from ocrqueue.web.intake.parameters import from_json, from_query, from_texts, merged
from ocrqueue.web.intake.schema import SUBMISSION
from ocrqueue.web.intake.submitting import Source, Taken, submit, submit_many, taking
from ocrqueue.web.intake.urls import url_source
from ocrqueue.web.intake.waiting import wait_for
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import answers, document, problem
from ocrqueue.web.routes.jobs import MAX_WAIT, Wait
from ocrqueue.web.service import Service, ServiceOf

router = APIRouter(tags=["jobs"])
FILE_FIELDS = ("file",)
_POLL_SECONDS = 2  # the Retry-After of an answer 202
_OUTSIDE = frozenset({"wait"})  # parameters of the query that are no options of the job


class Submitted(BaseModel):
    """What became of several documents, in their order."""

    jobs: list[JobObject | dict[str, Any]] = Field(description="jobs, or problem documents with the document's `name`")


_EXISTED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobObject | Submitted, "description": "The jobs existed already, or have ended."}
}


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobObject | Submitted,
    responses=_EXISTED | answers(400, 408, 409, 413, 415, 422, 503),
    openapi_extra=SUBMISSION,
)
async def post_jobs(
    request: Request,
    service: ServiceOf,
    caller: Submitter,
    wait: Wait = 0,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Submit documents: as a form with files, as the body itself, or as a URL that workers read.

    Answers 202 with the job, or 200 if a job with this key exists already. With `wait`, answers 200 when the job has
    ended, or after that time as without `wait`.
    """
    query = from_query(pair for pair in request.query_params.multi_items() if pair[0] not in _OUTSIDE)
    key = _same_key(_unquoted(idempotency_key), query.get("key"))
    async with taking(service, caller, key), _arriving(request, service) as (sources, given):
        parameters = merged(query, given)
        if named := _same_key(key, parameters.get("key")):
            parameters["key"] = named
        if named == key:
            taken = await _submit_all(service, caller, sources, parameters)
        else:  # the form names the key
            async with taking(service, caller, named):
                taken = await _submit_all(service, caller, sources, parameters)
    jobs = [one.job.id for one in taken if isinstance(one, Taken)]
    if wait and jobs:
        statuses = await wait_for(request, service, jobs, min(wait, MAX_WAIT), keyed=named is not None)
        taken = [
            replace(one, job=statuses.get(one.job.id, one.job)) if isinstance(one, Taken) else one for one in taken
        ]
    return _answer(service.settings.root_path, sources, taken)


@asynccontextmanager
async def _arriving(request: Request, service: Service) -> AsyncIterator[tuple[Sequence[Source], Parameters]]:
    """The documents of a request, and the options in its body. Raises ApiError, InvalidOptions, StorageError."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with service.receiver.form(request, FILE_FIELDS) as form:
            if not form.files:
                raise InvalidOptions("the form has no document: send one in the field file, as curl -F file=@scan.pdf")
            yield form.files, from_texts(form.fields)
    elif kind == "application/json":
        async with service.receiver.json(request) as arrived:
            yield _url_of(arrived.values)
    else:
        async with service.receiver.document(request) as received:
            yield [received], {}


def _url_of(given: dict[str, Any]) -> tuple[list[Source], Parameters]:
    """The URL and the options of a JSON object. Raises InvalidOptions."""
    return [url_source(given.pop("url", None), "url")], from_json(given)


async def _submit_all(
    service: Service, caller: Key, sources: Sequence[Source], parameters: Parameters
) -> list[Taken | OcrError]:
    """Submit the documents of a request. After an error of the queue the others are not tried."""
    if len(sources) == 1:
        return [await submit(service, caller, sources[0], parameters)]
    if "name" in parameters:
        raise InvalidOptions("option name is for one document: leave it out")
    key = parameters.pop("key", None)
    documents = [
        Document(source, key=None if key is None else f"{key}/{number}") for number, source in enumerate(sources, 1)
    ]
    return await submit_many(service, caller, documents, parameters)


def _answer(root: str, sources: Sequence[Source], taken: Sequence[Taken | OcrError]) -> Response:
    """202 if a job is new and has not ended, else 200; the problem of the first document if none was taken.

    `root` is the path below which a proxy shows us.
    """
    jobs = [one for one in taken if isinstance(one, Taken)]
    if not jobs:
        (error,) = [one for one in taken[:1] if isinstance(one, OcrError)]
        return problem(error)
    status = 202 if any(one.is_new and not one.job.has_ended for one in jobs) else 200
    headers = {"Retry-After": str(_POLL_SECONDS)} if status == 202 else {}
    if len(sources) == 1:
        job = job_json(jobs[0].job, root)
        return JSONResponse(job, status, {"Location": job["links"]["self"], **headers})
    items = [
        job_json(one.job, root) if isinstance(one, Taken) else {**document(one), "name": _name(source)}
        for source, one in zip(sources, taken, strict=True)
    ]
    return JSONResponse({"jobs": items}, status, headers)


def _name(source: Source) -> str:
    return source.name if isinstance(source, Received) else source.url


def _unquoted(key: str | None) -> str | None:
    """The value of Idempotency-Key, which is a text in quotes; most clients leave the quotes out."""
    return key[1:-1] if key and len(key) > 2 and key[0] == key[-1] == '"' else key


def _same_key(one: str | None, other: str | None) -> str | None:
    """The key of a request, which may name it twice. Raises InvalidOptions if the two differ."""
    if one is not None and other is not None and one != other:
        raise InvalidOptions("Idempotency-Key and the option key differ: leave one out")
    return from_texts([("key", found)])["key"] if (found := one if one is not None else other) is not None else None
