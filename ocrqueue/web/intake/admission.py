"""Whether a submission is accepted now: by the room in the queue, its open pages, and those that a key allows."""

from ocrqueue.errors import QueueFull, TooManyOpenPages
from ocrqueue.ledger import figures
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.workers import live
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service

_PAUSE = 30.0  # seconds of a Retry-After if nothing is known
_SHORTEST, _LONGEST = 5.0, 600.0  # seconds of a Retry-After
_SHARE = 0.1  # of the open pages, which are read before a client tries again


def admit(service: Service, key: Key) -> None:
    """Raise ApiError if a submission would be refused now, before its document is received. Raises QueueUnavailable."""
    client, limit = service.client, service.settings.queue_seconds
    with reaching(client.settings):
        try:
            client.check_room()
        except QueueFull as e:
            raise ApiError(e.code, e.message, _later(_seconds_left(service))) from e
        left = _seconds_left(service) if limit else None
        if left is not None and left > limit:
            figures.count(client.redis, "refused", QueueFull.code)
    if left is not None and left > limit:
        raise ApiError(
            "queue_full",
            f"the open pages take about {left:,.0f} s and {limit:,} s are allowed; wait, start more workers, or raise "
            "OCR_HTTP_QUEUE_SECONDS",
            {"Retry-After": f"{min(_LONGEST, max(_SHORTEST, left - limit)):.0f}"},
        )
    if key.open_pages is not None:  # the ledger counts again when it creates the job
        with reaching(client.settings):
            count = client.ledger.backlog(key.name)
        if count >= key.open_pages:
            raise later(service, TooManyOpenPages(key.name, count, key.open_pages))


def later(service: Service, error: TooManyOpenPages) -> ApiError:
    """The error with a header that says when to try again. Raises QueueUnavailable."""
    with reaching(service.client.settings):
        return ApiError(error.code, error.message, _later(_seconds_left(service)))


def _seconds_left(service: Service) -> float | None:
    """Seconds until all open pages are read, at the speed of the last hour; None if that is not known."""
    redis = service.client.redis
    speed = figures.page_speed(figures.last_hour(redis))
    return figures.seconds_left(figures.read(redis).pages_open, speed, live(redis))


def _later(seconds_left: float | None) -> dict[str, str]:
    """The header that says when to try again: once a part of the open pages has been read."""
    pause = _PAUSE if seconds_left is None else min(_LONGEST, max(_SHORTEST, _SHARE * seconds_left))
    return {"Retry-After": f"{pause:.0f}"}
