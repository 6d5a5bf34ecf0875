"""Who sends a request: the API key of its header, its rights, and its share of requests."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from ocrqueue import names
from ocrqueue.ledger.connection import reaching
from ocrqueue.web.keys import ANYONE, Key, Right
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.sessions import COOKIE, HEADER, Sessions, is_change_token

_READING = ("GET", "HEAD", "OPTIONS")  # methods that change nothing
_MINUTE = 60  # seconds in which the requests of a key are counted


def given_key(request: Request) -> str | None:
    """The API key of a request, from any of the headers that clients use."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("X-Api-Key") or request.headers.get("Ocp-Apim-Subscription-Key")


def caller(request: Request, service: ServiceOf) -> Key:
    """The key of the caller. Raises ApiError if it is missing or wrong, or has sent too many requests."""
    given = given_key(request)
    token = request.cookies.get(COOKIE)
    key = _key_of_session(request, service, token) if token and not given else service.keys.find(given)
    if key is None:
        what = "the API key is wrong or revoked" if given else "an API key is required"
        raise ApiError(
            "key_missing", f"{what}: send one as `Authorization: Bearer KEY`; `submit.py keys new` makes one"
        )
    request.state.key = key.name  # for the places of uploads, and for people
    if key.requests is not None:
        _count(service, key.name, key.requests)
    return key


def _key_of_session(request: Request, service: ServiceOf, token: str) -> Key | None:
    """The key of a session of the web UI; None if it has ended. Raises ApiError for a change without its token."""
    if not service.keys.are_required:
        return ANYONE
    with reaching(service.client.settings):
        hashed = Sessions(service.client.redis).key(token)
    key = service.keys.hashed(hashed) if hashed else None
    if key and request.method not in _READING and not is_change_token(token, request.headers.get(HEADER)):
        raise ApiError("session_token", f"the header {HEADER} is missing or wrong: reload the page and try again")
    return key


def _count(service: ServiceOf, name: str, allowed: int) -> None:
    """Count a request of a key in this minute, over all processes. Raises ApiError if there are too many."""
    now = time.time()
    counter = names.rate_key(name, int(now // _MINUTE))
    with reaching(service.client.settings), service.client.redis.pipeline() as pipe:
        pipe.incr(counter)
        pipe.expire(counter, 2 * _MINUTE)
        count = int(pipe.execute()[0])
    if count > allowed:
        wait = str(_MINUTE - int(now % _MINUTE))
        raise ApiError(
            "rate_limited",
            f"the API key {name!r} allows {allowed} requests a minute: try again in {wait} s",
            {
                "Retry-After": wait,
                "RateLimit-Policy": f'"minute";q={allowed};w={_MINUTE}',
                "RateLimit": f'"minute";r=0;t={wait}',
            },
        )


def having(right: Right) -> Callable[[Key], Awaitable[Key]]:
    """A dependency: the key of the caller, which must have a right. Raises ApiError if it lacks the right."""

    async def check(key: Annotated[Key, Depends(caller)]) -> Key:
        check_right(key, right)
        return key

    return check


def check_right(key: Key, right: Right) -> None:
    """Raise ApiError if the key lacks a right."""
    if not key.may(right):
        raise ApiError("key_rights", f"the API key {key.name!r} lacks the right {right}")


Submitter = Annotated[Key, Depends(having(Right.SUBMIT))]
Reader = Annotated[Key, Depends(having(Right.READ))]
Overseer = Annotated[Key, Depends(having(Right.READ_ALL))]
Operator = Annotated[Key, Depends(having(Right.OPERATE))]
