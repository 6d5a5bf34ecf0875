"""Submitting for a caller: the job belongs to the API key, and keys of idempotency are the caller's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from redis.exceptions import LockError
from redis.lock import Lock

from ocrqueue import names
from ocrqueue.client import JobStatus, submission
from ocrqueue.client.submission import AnySource, Parameters, Received, UrlSource
from ocrqueue.client.submission.many import Document, Submissions, one_by_one
from ocrqueue.errors import OcrError, QueueUnavailable, TooManyOpenPages, Unconfirmed
from ocrqueue.ledger.connection import reaching
from ocrqueue.web.intake.admission import admit, later
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import RETRY_SECONDS, ApiError
from ocrqueue.web.service import Service
from ocrqueue.webhooks.parameters import parse_webhook

T = TypeVar("T")
Source = (
    Received | UrlSource
)  # what a caller can submit: never a text, which the client would take for a path of this machine
_LOCK_SECONDS = 5.0  # after which the lock of a process that was killed is free


@dataclass(frozen=True, slots=True)
class Taken:
    """A submission that was accepted."""

    job: JobStatus
    is_new: bool  # False: the job existed, because of its key


def job_of(caller: Key, key: str | None) -> str:
    """The id of a new job, or of the job that this caller submitted with an idempotency key. Raises InvalidOptions.

    Callers with an API key have their own idempotency keys; without one they share those of the Python client.
    """
    return submission.job_id(f"{caller.name}/{key}" if key and caller.name else key)


@asynccontextmanager
async def taking(service: Service, caller: Key, key: str | None) -> AsyncIterator[None]:
    """While the block runs, no other request is taken that has the same caller and idempotency key, in any process.

    Checks admission first, unless the job exists already. Raises ApiError, QueueUnavailable.
    """
    if key is None:
        await run_sync(admit, service, caller)
        yield
        return
    job = job_of(caller, key)
    lock = Lock(service.client.redis, names.taking_key(job), _LOCK_SECONDS, thread_local=False)
    if not await run_sync(_reaching, service, lambda: lock.acquire(blocking=False)):
        raise ApiError(
            "key_in_use",
            f"a request with the key {key[:80]!r} is still being taken: try again",
            {"Retry-After": str(RETRY_SECONDS)},
        )
    renewal = asyncio.create_task(_renew(service, lock))
    try:
        if not await run_sync(_exists, service, job):
            await run_sync(admit, service, caller)
        yield
    finally:
        renewal.cancel()
        with anyio.CancelScope(shield=True), suppress(LockError, QueueUnavailable):
            await run_sync(_reaching, service, lock.release)


async def submit(service: Service, caller: Key, source: Source, parameters: Parameters) -> Taken:
    """Submit a document as a job of the caller.

    Once begun, it is not interrupted. Raises what `ocrqueue.client.submit` raises, and ApiError.
    """
    return await run_sync(_submit, service, caller, source, parameters)


async def submit_many(
    service: Service, caller: Key, documents: Sequence[Document], parameters: Parameters
) -> list[Taken | OcrError]:
    """Submit documents, several at a time; a job or an error for each. Once begun, it is not interrupted."""

    def submit_one(_: str, source: AnySource, given: Parameters) -> Taken:
        assert isinstance(source, Received | UrlSource)
        return _submit(service, caller, source, given)

    found: list[Taken | OcrError] = []
    for one in await run_sync(list, Submissions(one_by_one(submit_one), documents, parameters, service.client.at_once)):
        answer = one.job or one.error
        if not isinstance(answer, Taken | OcrError):
            raise answer or AssertionError("neither a job nor an error")
        found.append(answer)
    return found


def _submit(service: Service, caller: Key, source: Source, parameters: Parameters) -> Taken:
    key = parameters.get("key")
    job = job_of(caller, key)
    is_new = key is None or not _exists(service, job)
    if is_new and (webhook := parameters.get("webhook")) is not None:
        service.settings.webhooks.check(parse_webhook(webhook))
    given: Parameters = {**parameters, "owner": caller.name or None, "owner_pages": caller.open_pages}
    try:
        service.client.submit_as(job, source, **given)
    except TooManyOpenPages as e:
        raise later(service, e) from e
    try:
        return Taken(service.client.statuses([job])[job], is_new)
    except QueueUnavailable as e:
        raise Unconfirmed(job, e.message) from e


def _exists(service: Service, job: str) -> bool:
    return _reaching(service, lambda: bool(service.client.redis.exists(names.job_key(job))))


def _reaching(service: Service, action: Callable[[], T]) -> T:
    with reaching(service.client.settings):
        return action()


async def _renew(service: Service, lock: Lock) -> None:
    """Keep the lock for as long as the request takes."""
    while True:
        await asyncio.sleep(_LOCK_SECONDS / 3)
        with suppress(LockError, QueueUnavailable):
            await run_sync(_reaching, service, lock.reacquire)
