"""The events of a job, as a stream for `EventSource` (server-sent events)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from ocrqueue.client import JobStatus
from ocrqueue.errors import OcrError
from ocrqueue.ledger import PageRecord
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.seen import Seen
from ocrqueue.web.content.shapes import job_json, page_state_json
from ocrqueue.web.keys import Key, KeysUnreadable
from ocrqueue.web.problems import answers
from ocrqueue.web.service import Service, ServiceOf

router = APIRouter(tags=["jobs"])
_QUIET = 15.0  # seconds without an event after which a comment is sent, so that proxies keep the connection
_LOOK = 5.0  # seconds between two looks whether the key is still admitted
_TURN = 0.01  # seconds of events in a row, of which thousands may be due, after which other requests have their turn
_RETRY = 2000  # milliseconds after which a client connects again
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter for nginx


class EventStream(StreamingResponse):
    """An answer with server-sent events."""

    media_type = "text/event-stream"


@router.get(
    "/jobs/{job}/events",
    response_class=EventStream,
    responses={**answers(404), 204: {"description": "The client has all events: the job has ended"}},
)
async def events(
    job: str,
    service: ServiceOf,
    key: Reader,
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[
        str | None, Query(description="as Last-Event-ID, for clients that cannot send it at first")
    ] = None,
) -> Response:
    """Follow a job until it ends: its state, then each page as it finishes, then the end.

    The events are `job` (the job, at first and when more than its counts has changed), `page` (a page has finished) and
    `end` (the job). With the id of an event in `Last-Event-ID` or `after`, the stream goes on after this event.
    """
    handle, status = await run_sync(seen_job, service, key, job)
    seen = Seen.parse(last_event_id or after)
    if seen.has_ended and status.has_ended and seen.round == status.round:
        return Response(status_code=204)
    return EventStream(_stream(service, key, handle.id, seen), headers=_HEADERS)


async def _stream(service: Service, key: Key, job: str, seen: Seen) -> AsyncIterator[bytes]:
    """The events after those that the client has `seen`, and a comment now and then. Ends if the key is revoked."""
    told = looked = turn = time.monotonic()
    async for event in _events(service, job, seen):
        if time.monotonic() - turn >= _TURN:
            await asyncio.sleep(0)
            turn = time.monotonic()
        if time.monotonic() - looked >= _LOOK:
            looked = time.monotonic()
            if not await run_sync(_is_admitted, service, key):
                return
        if event is not None:
            told = time.monotonic()
            yield event
        elif time.monotonic() - told >= _QUIET:
            told = time.monotonic()
            yield b":\n\n"


def _is_admitted(service: Service, key: Key) -> bool:
    try:
        return service.keys.admits(key)
    except KeysUnreadable:
        return False


async def _events(service: Service, job: str, seen: Seen) -> AsyncIterator[bytes | None]:
    """The events, and None now and then. Ends with the job, with the process, or when the job can no longer be read."""
    shown: JobStatus | None = None
    pages: list[PageRecord] = []
    index = 0  # of the first page in `pages` that was not looked at
    watch, root = service.watch, service.settings.root_path
    try:
        async with watch.following(job, pages=True) as feed:
            while not watch.is_ending:
                version, status = feed.version, feed.now()
                seen.enter(status.round)
                if shown is None or _without_counts(shown) != _without_counts(status):
                    yield _event("job", seen, job_json(status, root), _RETRY if shown is None else None)
                    shown = status
                if feed.pages is not pages:
                    pages, index = feed.pages, 0
                while index < len(pages):
                    page, index = pages[index], index + 1
                    if seen.take(page):
                        yield _event("page", seen, page_state_json(page) | {"job": job, "finished": len(seen.finished)})
                if status.has_ended:
                    seen.has_ended = True
                    yield _event("end", seen, job_json(status, root))
                    return
                await feed.after(version, _LOOK)
                yield None
    except OcrError:  # the client connects again, and then gets the error as an answer
        return


def _without_counts(status: JobStatus) -> JobStatus:
    return replace(status, ok=0, failed=0, cancelled=0, quality=None, poorly_read=0)


def _event(kind: str, seen: Seen, data: dict[str, Any], retry: int | None = None) -> bytes:
    return format_sse_event(event=kind, id=str(seen), data_str=json.dumps(data), retry=retry)
