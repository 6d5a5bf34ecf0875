"""The connections of clients: how many there may be, and how long one keeps its place without a request.

Whoever reaches the port may open connections, without an API key. So one that sends no whole head of a request in time
is closed, and so is one that does not take its answer; and where there are too many, the one that has waited longest
for a request makes room for the next. If all have requests, uvicorn answers the next one with 503.
"""

import asyncio
import resource
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0  # from the beginning of a connection, or the end of its last answer, to the next request's headers
TAKING_SECONDS = 60.0  # in which a client takes some of an answer that is ready
MOST = 5_000  # connections
_FILES = 65_536  # open files that are enough


def allowed() -> int:
    """How many connections there may be at a time: half of the files that this process may open. Raises that limit.

    The other half is for the connections to Redis, and for files of the spool.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS may allow less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(MOST, soft // 2)


class Connection(H11Protocol):
    """One connection; uvicorn's setting `limit_concurrency` is the number of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waits_since = 0.0  # on the clock of the event loop
        self._head: asyncio.TimerHandle | None = None  # ends the connection if no request comes
        self._taking: asyncio.TimerHandle | None = None  # ends it if the answer is not taken

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client has connected."""
        super().connection_made(transport)
        self._wait()
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            others = (one for one in self.connections if isinstance(one, Connection) and one is not self)
            waiting = [one for one in others if one.waits_for_request]
            if waiting:
                min(waiting, key=lambda one: one._waits_since).end()

    @property
    def waits_for_request(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def end(self) -> None:
        """Close the connection, and give its place away at once."""
        self.connections.discard(self)
        self.transport.close()

    def on_response_complete(self) -> None:
        """An answer was sent; a request that came meanwhile begins."""
        super().on_response_complete()
        if self.waits_for_request:
            self._wait()

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is made."""
        super().pause_writing()
        self._taking = self.loop.call_later(TAKING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken what was ready."""
        super().resume_writing()
        _cancel(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        _cancel(self._head)
        _cancel(self._taking)
        super().connection_lost(exc)

    def _wait(self) -> None:
        _cancel(self._head)
        self._waits_since = self.loop.time()
        self._head = self.loop.call_later(HEAD_SECONDS, self._end_if_waiting)

    def _end_if_waiting(self) -> None:
        if self.waits_for_request:
            self.end()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
