"""What happens to every request around its endpoint: the guard of a service without keys, shares, HEAD and so on."""

from collections import Counter

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocrqueue.hosts import foreign_name, is_of_other_page
from ocrqueue.web.callers import given_key
from ocrqueue.web.problems import RETRY_SECONDS, ApiError, problem
from ocrqueue.web.service import Service
from ocrqueue.web.sessions import COOKIE

_DRAIN_SECONDS = 5.0
_UNCACHED = "private, no-store"  # the Cache-Control of answers that state none


class Guard:
    """Refuses requests of other sites' web pages while no key is asked for, see `ocrqueue.hosts`.

    The name in `Host` must be one of loopback, or of OCR_HTTP_HOSTS.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass it on."""
        if scope["type"] == "http" and not self._service.keys.are_required:
            refusal = self._refusal(scope["method"], Headers(scope=scope))
            if refusal:
                await problem(ApiError("origin_not_allowed", refusal))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        """Why a request is refused; None if it is not."""
        name = foreign_name(headers, self._service.settings.hosts)
        if name is not None:
            return (
                f"without API keys, the name {name[:80]!r} is not allowed: use 127.0.0.1 or localhost, name it in "
                "OCR_HTTP_HOSTS, or make a key with `submit.py keys new`"
            )
        if is_of_other_page(method, headers):
            return "requests of other web pages are not allowed without API keys: make a key with `submit.py keys new`"
        return None


class Share:
    """Keeps one caller from holding the connections of all with requests that wait, such as streams of events.

    A caller is an API key as it is sent, right or wrong, or else a session or an address.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        """`most` requests of a caller may be under way."""
        self._app = app
        self._most = most
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        caller = given_key(request) or request.cookies.get(COOKIE) or (request.client.host if request.client else "")
        if self._under_way[caller] >= self._most:
            why = f"{self._most:,} requests of this caller are under way, which is its share: wait until one has ended"
            await problem(ApiError("rate_limited", why, {"Retry-After": str(RETRY_SECONDS)}))(scope, receive, send)
            return
        self._under_way[caller] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller]


class Private:
    """Keeps answers out of caches, unless the endpoint states otherwise: nearly all have names or texts of documents.

    A cache may keep an answer to a request with X-Api-Key or a cookie unless it is told not to (RFC 9111, 3.5).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", _UNCACHED)
            await send(message)

        await self._app(scope, receive, sending)


class Head:
    """Answers HEAD as GET without the content (RFC 9110, 9.3.2), whose making ends as soon as the headers are known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}
        with anyio.CancelScope() as making:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    scope["route"] = as_get.get("route")  # for the count of requests
                    await send(message)
                    await send({"type": "http.response.body"})
                    making.cancel()

            await self._app(as_get, receive, sending)


class EarlyAnswer:
    """Lets a client read an answer that was sent before its request was complete, such as a refused upload.

    Many clients read no answer until they have sent everything, and lose it if the connection is closed meanwhile. So
    the rest of the request is read and forgotten for some seconds, and then the connection is closed.

    It is also closed after a request with both Transfer-Encoding and Content-Length, as RFC 9112, section 6.1 asks: a
    proxy in front may see the end of its body elsewhere, and take the rest for a request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if headers.get("Content-Length", "0") == "0" and "Transfer-Encoding" not in headers:
            await self._app(scope, receive, send)
            return
        is_complete, is_unclear = False, "Content-Length" in headers and "Transfer-Encoding" in headers

        async def receiving() -> Message:
            nonlocal is_complete
            message = await receive()
            is_complete = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and (is_unclear or not is_complete):
                MutableHeaders(scope=message)["Connection"] = "close"
            if message["type"] != "http.response.body" or message.get("more_body", False) or is_complete:
                await send(message)
                return
            await send({**message, "more_body": True})
            with anyio.move_on_after(_DRAIN_SECONDS):
                while not is_complete:
                    await receiving()
            await send({"type": "http.response.body"})

        await self._app(scope, receiving, sending)
