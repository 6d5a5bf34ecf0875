"""Figures of the requests to this process. Each `web` process has its own; only refusals are counted in Redis."""

import time
from contextlib import suppress

from anyio.to_thread import run_sync
from prometheus_client import CollectorRegistry, Counter, Histogram
from redis import Redis, RedisError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocrqueue.errors import QueueFull
from ocrqueue.ledger import figures

# Statuses that refuse a request, and the reason that is counted. The client package counts `queue_full`.
_REFUSED = {413: "too_large", 415: "unsupported_format", 429: "too_many"}
REASONS = (QueueFull.code, *_REFUSED.values())  # all that are counted
_BOUNDS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNKNOWN = "unknown"  # the path of a request that no endpoint takes


class Requests:
    """The counters of one application: requests by method, endpoint and status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "path", "status")
        self.total = Counter("ocrqueue_http_requests", "Requests to this process.", labels, registry=self.registry)
        self.seconds = Histogram(
            "ocrqueue_http_request_seconds", "Seconds until an answer of this process began.", ("method", "path"),
            buckets=_BOUNDS, registry=self.registry,
        )  # fmt: skip


class CountRequests:
    """An ASGI middleware that counts each request when its answer begins. A stream of events may go on for hours."""

    def __init__(self, app: ASGIApp, requests: Requests, redis: Redis) -> None:
        self._app = app
        self._requests = requests
        self._redis = redis

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, reason = time.monotonic(), None

        async def sending(message: Message) -> None:
            nonlocal reason
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.monotonic() - began)
                reason = _REFUSED.get(message["status"])
            await send(message)

        await self._app(scope, receive, sending)
        if reason:
            with suppress(RedisError):
                await run_sync(figures.count, self._redis, "refused", reason)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        path = _template(scope)
        method = scope["method"] if scope["method"] in _METHODS else _UNKNOWN  # a client may send any word
        self._requests.total.labels(method, path, str(status)).inc()
        self._requests.seconds.labels(method, path).observe(seconds)


def _template(scope: Scope) -> str:
    """The path of the endpoint that took a request, with {job} in place of an id; `_UNKNOWN` if none took it.

    In newer versions of FastAPI a route knows its own part of the path, without the prefix of its router.
    """
    own = getattr(scope.get("route"), "path", None)
    if own is None or ":path}" in own:  # the latter takes any number of parts
        return own or _UNKNOWN
    parts = scope["path"].split("/")
    return "/".join(parts[: len(parts) - own.count("/")]) + str(own)
