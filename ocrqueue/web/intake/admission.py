"""Whether a submission is accepted now: by the room in the queue, and by the open pages that a key allows."""

from ocrqueue.errors import QueueFull
from ocrqueue.ledger.connection import reaching
from ocrqueue.web.keys import Key
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service

_PAUSE = 30  # seconds of a Retry-After


def admit(service: Service, key: Key) -> None:
    """Raise ApiError if a submission would be refused now, before its document is received. Raises QueueUnavailable."""
    client = service.client
    with reaching(client.settings):
        try:
            client.check_room()
        except QueueFull as e:
            raise ApiError(e.code, e.message, _later()) from e
        check_share(service, key)


def check_share(service: Service, key: Key) -> None:
    """Raise ApiError if the jobs of a key have as many open pages as it allows. Raises QueueUnavailable."""
    if key.open_pages is None:
        return
    with reaching(service.client.settings):
        count = service.client.ledger.backlog(key.name)
    if count >= key.open_pages:
        raise ApiError(
            "too_many_open_pages",
            f"the jobs of the API key {key.name!r} have {count:,} open pages and {key.open_pages:,} are allowed: "
            "wait until some are read (a document that is not opened yet counts as ten)",
            _later(),
        )


def _later() -> dict[str, str]:
    return {"Retry-After": str(_PAUSE)}
