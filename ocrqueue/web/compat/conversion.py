"""What the endpoints of this package share: a document becomes a job, the job ends, its result is fetched."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anyio.to_thread import run_sync

from ocrqueue.client import Job, JobStatus
from ocrqueue.client.submission import Parameters
from ocrqueue.errors import JobTimeout, OcrError
from ocrqueue.web.access import own_job, seen_job
from ocrqueue.web.intake.receiving import ArrivedJson
from ocrqueue.web.intake.submitting import Source, submit, taking
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service

WAIT_SECONDS = 600.0  # that a request without an asynchronous form waits for its job

_MOST_ITEMS = 50  # of a list that a client sends
_URL_SAFE = str.maketrans("-_", "+/")  # characters of the alphabet for URLs, as those of the other one
_CANCEL_SECONDS = 30.0  # that a job has to end after it was cancelled: pages that a worker reads are finished first


async def submit_source(service: Service, caller: Key, source: Source, parameters: Parameters) -> str:
    """Submit a document. Returns the job's id. Raises OcrError.

    Its pages get blocks: these clients want documents, with headings and tables.
    """
    given: Parameters = {**parameters, "structure": True}
    async with taking(service, caller, None):
        return (await submit(service, caller, source, given)).job.id


async def submit_base64(
    service: Service, caller: Key, body: ArrivedJson, text: object, where: str, name: str, parameters: Parameters
) -> str:
    """Submit the document that a text of a JSON body has in base64, with this name. Returns the job's id.

    Raises OcrError, which names the field `where` if the text is none.
    """
    if body.document is not None and text == body.mark:
        return await submit_source(service, caller, replace(body.document, name=name), parameters)
    return await submit_content(service, caller, _decoded(text, where), name, parameters)


async def submit_content(service: Service, caller: Key, content: bytes, name: str, parameters: Parameters) -> str:
    """Submit bytes as a document with this name. Returns the job's id. Raises OcrError."""
    async with service.receiver.content(content, name) as received:
        return await submit_source(service, caller, received, parameters)


def _decoded(text: object, where: str) -> bytes:
    try:
        if isinstance(text, str) and text:
            return b64decode("".join(text.split()).translate(_URL_SAFE), validate=True)
    except (Base64Error, ValueError):
        pass
    raise ApiError("invalid_request", f"{where} must be a document in base64")


def texts_of(given: object, name: str) -> list[str]:
    """The texts of a list that a client sends, without blanks around them. Raises ApiError if it is none, or long."""
    if not isinstance(given, list) or len(given) > _MOST_ITEMS or not all(isinstance(text, str) for text in given):
        raise ApiError("invalid_request", f"{name} must be a list of at most {_MOST_ITEMS} texts")
    return [text.strip() for text in given]


async def status_of_job(service: Service, caller: Key, job: str) -> JobStatus:
    """The status of a job that the caller may see. Raises UnknownJob."""
    return (await run_sync(seen_job, service, caller, job))[1]


async def ended(service: Service, job: str, seconds: float) -> JobStatus:
    """The status of a job that has ended. Raises JobTimeout if it has not within `seconds`; the job goes on."""
    status = await service.watch.wait(job, seconds)
    if not status.has_ended:
        raise JobTimeout(f"job {job} has not ended within {seconds:g} s; it goes on: `GET /api/v1/jobs/{job}`")
    return status


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
