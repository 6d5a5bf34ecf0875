"""Deliveries of webhooks: list them, and send one again."""

from functools import partial
from itertools import dropwhile, islice
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ocrqueue.errors import InvalidOptions, UnknownDelivery, UnknownJob
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.cursors import Cursor
from ocrqueue.ledger.deliveries import Delivery
from ocrqueue.states import DeliveryState, WebhookEvent
from ocrqueue.web.access import own_job, seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.keys import Key, Right
from ocrqueue.web.problems import ApiError, answers
from ocrqueue.web.routes.lists import From
from ocrqueue.web.service import Service, ServiceOf

router = APIRouter(tags=["webhooks"])


class DeliveryObject(BaseModel):
    """One event of a job for the URL that the job names."""

    id: str = Field(description="the header webhook-id", examples=["0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10-1"])
    job: str = Field(description="id of the job")
    owner: str | None = Field(description="name of the API key that submitted the job")
    host: str = Field(description="host and port of the URL")
    event: WebhookEvent
    created: float = Field(description="when the event happened, seconds since 1970")
    state: DeliveryState
    tries: int = Field(description="so far")
    next: float | None = Field(description="when it is tried next, seconds since 1970; null: it has ended")
    status: int | None = Field(description="HTTP status of the last try; null: no answer")
    error: str | None = Field(description="why the last try failed")
    ended: float | None = Field(description="seconds since 1970")


class DeliveryList(BaseModel):
    """Deliveries, newest first."""

    items: list[DeliveryObject]
    next_cursor: str | None = Field(description="for the next page; null at the end")


@router.get("/deliveries", response_model=DeliveryList, responses=answers(404, 422))
async def deliveries(
    service: ServiceOf,
    key: Reader,
    job: Annotated[str | None, Query(description="only those of this job")] = None,
    state: DeliveryState | None = None,
    cursor: From = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """The deliveries of webhooks that the caller may see, newest first."""
    after = None if cursor is None else _parse(cursor)
    listing = partial(_list, service, key, job, state, after, limit + 1)
    found = await run_sync(listing, limiter=service.makers)  # it may look at very many that are not listed
    last = found[limit - 1] if len(found) > limit else None
    return JSONResponse(
        {
            "items": [delivery.to_json() for delivery in found[:limit]],
            "next_cursor": last and str(Cursor(last.created, last.id)),
        }
    )


@router.post(
    "/deliveries/{id}/repeat", status_code=202, response_model=DeliveryObject, responses=answers(403, 404, 422)
)
async def repeat(id: str, service: ServiceOf, key: Reader) -> Response:
    """Send a delivery again, from the first try on, with the same id."""
    return JSONResponse((await run_sync(_repeat, service, key, id)).to_json(), 202)


def _list(
    service: Service, key: Key, job: str | None, state: DeliveryState | None, after: tuple[float, str] | None, most: int
) -> list[Delivery]:
    """At most `most` deliveries that the caller may see."""
    with reaching(service.client.settings):
        if job is None:
            found = service.client.deliveries.newest_first(after)
        else:
            handle, _ = seen_job(service, key, job)
            found = dropwhile(
                lambda one: after is not None and (one.created, one.id) >= after,
                service.client.deliveries.of_job(handle.id),
            )
        sees_all = key.may(Right.READ_ALL)
        wanted = (one for one in found if (sees_all or one.owner == key.name) and (state is None or one.state == state))
        return list(islice(wanted, most))


def _repeat(service: Service, key: Key, id: str) -> Delivery:
    client = service.client
    with reaching(client.settings):
        job = client.deliveries.get(id).job
        try:
            own_job(service, key, job)
        except UnknownJob:
            raise UnknownDelivery(
                f"no delivery {id[:80]!r}: `GET /api/v1/deliveries` lists those of your key"
            ) from None
        client.repeat(id)
        return client.deliveries.get(id)


def _parse(cursor: str) -> tuple[float, str]:
    """The time of creation and the id of the last delivery of the page before. Raises ApiError."""
    try:
        found = Cursor.parse(cursor)
    except InvalidOptions as e:
        raise ApiError("invalid_request", e.message) from None
    return found.score, found.member
