"""The deliveries of webhooks: which calls are due, and how each try ended. Each change is one atomic script.

The id of a delivery is the job's id, "-", and its name within the job: "<round>" for the end of a round,
"<round>-<page>" for a page, counted among those asked for.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from redis import Redis

from ocrqueue import names
from ocrqueue.errors import UnknownDelivery, UnknownJob
from ocrqueue.ledger import Job, Ledger, Message, NewerRecord, Submitter
from ocrqueue.states import DeliveryState, MessageKind

MAX_PENDING = 100_000  # submissions that name a webhook are refused while so many deliveries are pending
MAX_STORED = 100_000  # the oldest ones that have ended are removed while more are stored
_JOB = 36  # characters of a job's id
_CHUNK = 1000  # deliveries read at once


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event of a job for the URL that the job names."""

    id: str  # the header webhook-id, the same for all tries
    job: str  # id
    owner: str | None  # of the job
    host: str  # host and port of the URL
    event: str  # from `states.WebhookEvent`
    created: float  # when the event happened, seconds since 1970
    state: DeliveryState
    tries: int  # so far
    next: float | None  # when it is tried next at the earliest, seconds since 1970; None: it has ended
    status: int | None  # HTTP status of the last try; None: no answer
    error: str | None  # why the last try failed
    ended: float | None  # seconds since 1970; None: it is pending
    data: Mapping[str, Any]  # of the event; for a page, as `prelude.lua` stores it

    def to_json(self) -> dict[str, Any]:
        """What users see of it."""
        return {name: value for name, value in asdict(self).items() if name != "data"}


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is due, and whom it waits for."""

    id: str
    host: str  # host and port of the URL


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that a sender has claimed for one try."""

    delivery: Delivery
    job: Job  # its record
    token: str  # of the claim
    gone: bool  # the URL answered 410 before


class Deliveries:
    """The deliveries in one Redis."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.redis: Redis = ledger.redis

    # -- sending ---------------------------------------------------------------------------------------------------
    def due(self) -> list[DueDelivery]:
        """The deliveries that are due, longest first."""
        members = self.redis.zrange(names.DUE, "-inf", str(self.ledger.now()), byscore=True)
        return [DueDelivery(*member.split(" ")) for member in cast("list[str]", members)]

    def next_due(self) -> float | None:
        """When the next delivery is due, in seconds since 1970; None if none is pending."""
        first = cast("list[tuple[str, float]]", self.redis.zrange(names.DUE, 0, 0, withscores=True))
        return first[0][1] if first else None

    def pending(self) -> int:
        """The number of deliveries that have not ended."""
        return self.redis.zcard(names.DUE)

    def claim(self, due: DueDelivery, token: str, seconds: float) -> ClaimedDelivery | None:
        """Claim a delivery for one try that takes at most `seconds`; None if another sender has it, or it has ended."""
        job, name = _parts(due.id)
        try:
            reply = self.ledger.run("claim_delivery", job, name, token, seconds)
            if reply is not None and reply["claimed"]:
                record = self.ledger.job(job)
                return ClaimedDelivery(
                    _delivery(due.id, reply["delivery"], record.submitter), record, token, reply["gone"]
                )
        except NewerRecord:  # a sender of the newer version sends it
            return None
        except UnknownJob:
            reply = None
        if reply is None:
            self._forget(due)
        return None

    def settle(
        self,
        claimed: ClaimedDelivery,
        state: DeliveryState,
        next: float | None = None,
        status: int | None = None,
        error: str | None = None,
    ) -> bool:
        """Record the outcome of a try. `next` is the time of the next one. False if the claim has been lost."""
        job, name = _parts(claimed.delivery.id)
        values = ("" if value is None else value for value in (next, status, error))
        reply = self.ledger.run("settle_delivery", job, name, claimed.token, state, *values)
        return reply is not None and not reply.get("stale")

    def _forget(self, due: DueDelivery) -> None:
        """Remove a delivery of a job that a worker of an older version has dropped."""
        job, _ = _parts(due.id)
        with self.redis.pipeline() as pipe:
            pipe.zrem(names.DUE, f"{due.id} {due.host}")
            pipe.zrem(names.DELIVERIES, due.id)
            pipe.delete(names.deliveries_key(job))
            pipe.execute()

    def trim(self, most: int = MAX_STORED) -> int:
        """Remove the oldest deliveries that have ended, until at most `most` are stored. Returns how many."""
        excess = self.redis.zcard(names.DELIVERIES) - most
        removed = kept = 0
        while removed < excess:
            ids = cast("list[str]", self.redis.zrange(names.DELIVERIES, kept, kept + _CHUNK - 1))
            pending = {delivery.id for delivery in self._read(ids) if delivery.state == DeliveryState.PENDING}
            ended = [id for id in ids if id not in pending][: excess - removed]
            with self.redis.pipeline() as pipe:
                for id in ended:
                    job, name = _parts(id)
                    pipe.hdel(names.deliveries_key(job), name)
                    pipe.zrem(names.DELIVERIES, id)
                pipe.execute()
            removed += len(ended)
            kept += len(ids) - len(ended)
            if len(ids) < _CHUNK:
                break
        return removed

    # -- looking ---------------------------------------------------------------------------------------------------
    def get(self, id: str) -> Delivery:
        """One delivery. Raises UnknownDelivery."""
        for delivery in self._read([id]):
            return delivery
        raise _unknown(id)

    def of_job(self, job: str) -> list[Delivery]:
        """The deliveries of one job, newest first."""
        ids = [f"{job}-{name}" for name in cast("list[str]", self.redis.hkeys(names.deliveries_key(job)))]
        return sorted(self._read(ids), key=lambda delivery: (delivery.created, delivery.id), reverse=True)

    def newest_first(self, after: tuple[float, str] | None = None) -> Iterator[Delivery]:
        """All deliveries, newest first, or those that come `after` the one with this time of creation and this id."""
        rank = -1
        if after is not None:
            created, id = after
            found = cast("int | None", self.redis.zrevrank(names.DELIVERIES, id))
            rank = self.redis.zcount(names.DELIVERIES, f"({created}", "+inf") - 1 if found is None else found
        while ids := cast("list[str]", self.redis.zrevrange(names.DELIVERIES, rank + 1, rank + _CHUNK)):
            yield from self._read(ids)
            rank += len(ids)

    def repeat(self, id: str) -> list[Message]:
        """Send a delivery again, from the first try on. Returns the messages to send. Raises UnknownDelivery."""
        job, name = _parts(id)
        reply = self.ledger.run("repeat_delivery", job, name)
        if reply is None or not reply["known"]:
            raise _unknown(id)
        return [Message(MessageKind.DELIVER, job)]

    def _read(self, ids: Iterable[str]) -> Iterator[Delivery]:
        """The deliveries with these ids that are stored, in this order."""
        wanted = list(ids)
        with self.redis.pipeline(transaction=False) as pipe:
            for id in wanted:
                job, name = _parts(id)
                pipe.hget(names.deliveries_key(job), name)
                pipe.hmget(names.job_key(job), "owner", "webhook")
            values = iter(pipe.execute())
        for id, value, (owner, webhook) in zip(wanted, values, values, strict=True):
            if value is not None and webhook is not None:
                yield _delivery(id, value, Submitter.from_json({"owner": owner, "webhook": json.loads(webhook)}))


def _parts(id: str) -> tuple[str, str]:
    """The job's id of a delivery's id, and the rest."""
    return id[:_JOB], id[_JOB + 1 :]


def _delivery(id: str, value: str, submitter: Submitter) -> Delivery:
    stored = json.loads(value)
    created = float(stored["created"])
    pending = stored["state"] == DeliveryState.PENDING
    return Delivery(
        id=id,
        job=_parts(id)[0],
        owner=submitter.owner,
        host=urlsplit(submitter.webhook.url).netloc if submitter.webhook else "",
        event=stored["event"],
        created=created,
        state=DeliveryState(stored["state"]),
        tries=int(stored["tries"]),
        next=float(stored.get("next") or created) if pending else None,
        status=None if stored.get("status") is None else int(stored["status"]),
        error=stored.get("error"),
        ended=None if stored.get("ended") is None else float(stored["ended"]),
        data=json.loads(stored["data"]),
    )


def _unknown(id: str) -> UnknownDelivery:
    return UnknownDelivery(f"no delivery {id[:80]!r}: see `submit.py webhooks list` for those that are known")
