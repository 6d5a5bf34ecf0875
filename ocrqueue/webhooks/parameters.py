"""The webhook of a submission: its URL, its secret, and the events that it is called for."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ocrqueue.errors import DocumentError, InvalidOptions
from ocrqueue.fetching.addresses import parse_url
from ocrqueue.ledger import Webhook
from ocrqueue.states import WebhookEvent
from ocrqueue.webhooks.signing import keys_of

_GROUPS = {
    "job.*": tuple(event for event in WebhookEvent if event.startswith("job.")),
    "page.*": tuple(event for event in WebhookEvent if event.startswith("page.")),
}
_LONGEST_URL = 2000  # characters
_MOST = 20  # events that are named: there are fewer


class WebhookParameters(TypedDict, total=False):
    """A webhook as it is submitted."""

    url: str  # http or https
    secret: str  # "whsec_..."; several are separated by blanks; default: OCR_WEBHOOK_SECRET of the workers
    events: Sequence[str]  # types of events, "job.*" or "page.*"; default: "job.*"


def parse_webhook(given: object) -> Webhook:
    """The webhook of a URL, or of an object with the fields of `WebhookParameters`. Raises InvalidOptions."""
    values = {"url": given} if isinstance(given, str) else given
    if not isinstance(values, Mapping) or values.keys() - WebhookParameters.__annotations__ or "url" not in values:
        raise InvalidOptions('a webhook is a URL, or {"url": ..., "secret": ..., "events": [...]}')
    return Webhook(_url(values["url"]), _events(values.get("events")), _secret(values.get("secret")))


def _url(given: object) -> str:
    if not isinstance(given, str) or len(given) > _LONGEST_URL:
        raise InvalidOptions(f"the URL of a webhook is a text of at most {_LONGEST_URL:,} characters")
    try:
        parse_url(given)
    except DocumentError as e:
        raise InvalidOptions(f"webhook: {e.message}") from None
    return given


def _events(given: object) -> tuple[str, ...]:
    """The types of events, each once, in the order of `WebhookEvent`."""
    if given is None:
        return _GROUPS["job.*"]
    names = [given] if isinstance(given, str) else given
    allowed = (*_GROUPS, *WebhookEvent)
    if not isinstance(names, Sequence) or not 0 < len(names) <= _MOST or any(name not in allowed for name in names):
        raise InvalidOptions(f"webhook events={_listed(given)[:80]!r} is not allowed: any of {', '.join(allowed)}")
    wanted = {event for name in names for event in _GROUPS.get(name, (name,))}
    return tuple(event for event in WebhookEvent if event in wanted)


def _listed(given: object) -> str:
    """The events as someone would write them."""
    return ", ".join(map(str, given)) if isinstance(given, list | tuple) else str(given)


def _secret(given: object) -> str | None:
    """The secret. An error does not show it."""
    if given is None:
        return None
    try:
        keys_of(given if isinstance(given, str) else "")
    except ValueError as e:
        raise InvalidOptions(f"webhook secret: {e}; a secret is whsec_ and the base64 of 24 to 64 bytes") from None
    return str(given)
