"""What the endpoints of this package share: a document becomes a job, the job ends, its result is fetched."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Request

from ocrqueue.client import Job, JobStatus
from ocrqueue.client.submission import Parameters
from ocrqueue.errors import JobTimeout, OcrError
from ocrqueue.states import STRUCTURED_FORMATS
from ocrqueue.web.access import own_job, seen_job
from ocrqueue.web.intake import json_text
from ocrqueue.web.intake.submitting import Source, submit, taking
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import ApiError
from ocrqueue.web.results import with_blocks
from ocrqueue.web.service import Service

JSON_BYTES = 64 << 20  # of a JSON body, which is held in memory; larger documents are sent as files
WAIT_SECONDS = 600.0  # that a request without an asynchronous form waits for its job

_URL_SAFE = str.maketrans("-_", "+/")  # characters of the alphabet for URLs, as those of the other one
_CANCEL_SECONDS = 30.0  # that a job has to end after it was cancelled: pages that a worker reads are finished first


async def submit_source(service: Service, caller: Key, source: Source, parameters: Parameters) -> str:
    """Submit a document. Returns the job's id. Raises OcrError.

    Its pages get blocks: these clients want documents, with headings and tables.
    """
    given: Parameters = {**parameters, "structure": True}
    async with taking(service, caller, None):
        return (await submit(service, caller, source, given)).job.id


async def submit_content(service: Service, caller: Key, content: bytes, name: str, parameters: Parameters) -> str:
    """Submit bytes as a document with this name. Returns the job's id. Raises OcrError."""
    async with service.receiver.content(content, name) as received:
        return await submit_source(service, caller, received, parameters)


async def body_of(service: Service, request: Request) -> dict[str, Any]:
    """The JSON object in the body of a request. Raises ApiError if it is none, or too large."""
    try:
        given = json_text.parsed(await service.receiver.text(request, JSON_BYTES))
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ApiError("invalid_request", "the body must be a JSON object")
    return given


def decoded(text: object, where: str) -> bytes:
    """The bytes of a base64 text. Raises ApiError, which names the field `where`, if it is none.

    Both alphabets are taken (RFC 4648), and line breaks, which MIME has.
    """
    try:
        if isinstance(text, str) and text:
            return b64decode("".join(text.split()).translate(_URL_SAFE), validate=True)
    except (Base64Error, ValueError):
        pass
    raise ApiError("invalid_request", f"{where} must be a document in base64")


async def status_of_job(service: Service, caller: Key, job: str) -> JobStatus:
    """The status of a job that the caller may see. Raises UnknownJob."""
    return (await run_sync(seen_job, service, caller, job))[1]


async def ended(service: Service, job: str, seconds: float) -> JobStatus:
    """The status of a job that has ended. Raises JobTimeout if it has not within `seconds`; the job goes on."""
    status = await service.watch.wait(job, seconds)
    if not status.has_ended:
        raise JobTimeout(f"job {job} has not ended within {seconds:g} s; it goes on: `GET /api/v1/jobs/{job}`")
    return status


async def result_of(service: Service, job: str, format: str = "json") -> Any:
    """The result of a job that has ended: a dict for `json`, text for other formats. Raises OcrFailed.

    For a format that is made from blocks, workers find them first, if the job was submitted elsewhere and has none.
    """
    handle = Job(job, service.client)
    if format in STRUCTURED_FORMATS:
        status = await run_sync(handle.status)
        if status.ok:
            await with_blocks(service, handle, status, WAIT_SECONDS)
    return await run_sync(partial(handle.result, format))


async def first_error(service: Service, job: str) -> OcrError:
    """Why a job has no text."""
    return await run_sync(Job(job, service.client).failure)


async def remove(service: Service, caller: Key, job: str) -> None:
    """Remove a job of the caller, which is cancelled first if need be. Raises UnknownJob, ApiError, WrongState."""
    handle, status = await run_sync(own_job, service, caller, job)
    if not status.has_ended:
        await run_sync(handle.cancel)
        service.watch.look_at(handle.id)
        await service.watch.wait(handle.id, _CANCEL_SECONDS)
    await run_sync(handle.drop)


def page_ranges(first: object, last: object) -> str | None:
    """The option `pages` for the numbers of a first and a last page; None for all pages. Raises ApiError."""
    if not (type(first) is int and type(last) is int and 1 <= first <= last):
        raise ApiError("invalid_request", "a page range is two numbers from 1, the first and the last page")
    return None if first == 1 and last >= 10**7 else f"{first}-{'' if last >= 10**7 else last}"


def texts_in(given: Mapping[str, Any], *names: str) -> list[str]:
    """The texts of the given fields that are there. Raises ApiError for another value."""
    for name in names:
        if not isinstance(given.get(name), str | None):
            raise ApiError("invalid_request", f"{name} must be a text")
    return [given[name] for name in names if given.get(name)]
