"""The settings of webhooks, read from the environment. The workers and the HTTP API read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocrqueue import names
from ocrqueue.errors import DocumentError, InvalidOptions
from ocrqueue.fetching.addresses import Address, Url, is_public, parse_url, resolve
from ocrqueue.ledger import Webhook
from ocrqueue.ledger.workers import Worker, serving
from ocrqueue.settings import SettingsError, env, integer, read, words
from ocrqueue.webhooks.signing import keys_of

_PUBLIC, _NONE = "public", "none"
_ALLOWED = "public, none, or http(s):// prefixes, separated by commas"


@dataclass(frozen=True, slots=True)
class AllowedUrls:
    """The URLs that may be called."""

    public: bool  # all URLs with a public address
    prefixes: tuple[Url, ...]  # and what is below these, which may have a private address

    def addresses(self, url: Url) -> list[Address]:
        """The addresses to which a call of the URL may go; see `resolve`.

        Raises DocumentError: `source_not_allowed`, `source_unreachable`.
        """
        self.check(url)
        return resolve(url)

    def check(self, url: Url) -> None:
        """Raise DocumentError, `source_not_allowed`, for a URL that is not allowed.

        The address of a name is checked when it is called.
        """
        named = any(prefix.covers(url) for prefix in self.prefixes)
        if not named and not (self.public and (url.literal is None or is_public(url.literal))):
            hint = "ask the operator to add it to OCR_WEBHOOK_URLS"
            raise DocumentError(f"{url.scheme}://{url.host}:{url.port} may not be called: {hint}", "source_not_allowed")


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """The settings of webhooks."""

    urls: AllowedUrls  # OCR_WEBHOOK_URLS
    secret: str | None = field(repr=False)  # OCR_WEBHOOK_SECRET: for jobs without a secret of their own
    seconds: int  # OCR_WEBHOOK_SECONDS: for one try

    def check(self, webhook: Webhook) -> None:
        """Raise DocumentError for a webhook that is never called: its URL is not allowed, or there is no secret."""
        self.urls.check(parse_url(webhook.url))
        if not (webhook.secret or self.secret):
            raise InvalidOptions("the webhook needs a secret: give one, or ask the operator to set OCR_WEBHOOK_SECRET")

    def announced(self) -> dict[str, Any]:
        """What a worker announces of them, for `check_announced`. It does not have the secret."""
        public = [_PUBLIC] if self.urls.public else [_NONE]
        return {"urls": [*public, *map(str, self.urls.prefixes)], "secret": self.secret is not None}


def check_announced(webhook: Webhook, live: Iterable[Worker]) -> None:
    """Raise DocumentError for a webhook that no live worker would call, as `WebhookSettings.check`.

    Does nothing as long as none calls webhooks, or one does not say which.
    """
    refusals = [_refusal(webhook, worker.webhooks) for worker in serving(live, names.MAINTENANCE_QUEUE)]
    if refusals and None not in refusals:
        raise next(error for error in refusals if error)


def _refusal(webhook: Webhook, announced: Mapping[str, Any] | None) -> DocumentError | None:
    if announced is not None:
        try:
            secret = "announced" if announced["secret"] else None
            WebhookSettings(_urls(tuple(announced["urls"])), secret, 0).check(webhook)
        except DocumentError as e:
            return e
    return None


def webhook_settings() -> WebhookSettings:
    """Read the settings. Raises SettingsError, which does not show the secret."""
    return WebhookSettings(
        urls=_urls(words("OCR_WEBHOOK_URLS", (_PUBLIC,), rf"{_PUBLIC}|{_NONE}|https?://[^/]+.*", _ALLOWED)),
        secret=_secret(),
        seconds=integer("OCR_WEBHOOK_SECONDS", 20, 1, 60),
    )


def _urls(entries: tuple[str, ...]) -> AllowedUrls:
    prefixes = []
    for entry in entries:
        if entry not in (_PUBLIC, _NONE):
            try:
                prefixes.append(parse_url(entry))
            except DocumentError as e:
                raise SettingsError(f"OCR_WEBHOOK_URLS={entry!r} is not allowed: {e.message}") from e
    return AllowedUrls(_PUBLIC in entries, tuple(prefixes))


def _secret() -> str | None:
    given = read(env.str, "OCR_WEBHOOK_SECRET", "", "a text")
    try:
        if given:
            keys_of(given)
    except ValueError as e:
        raise SettingsError(
            f"OCR_WEBHOOK_SECRET is not allowed: {e}; it is whsec_ and the base64 of 24 to 64 bytes"
        ) from None
    return given or None
