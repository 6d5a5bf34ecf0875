"""The places of the uploads that one process receives at a time. Callers share them.

Where all are taken, a caller that waits gets one of the caller that has the most: the slowest loses its place. Where no
other caller has more, only an upload that is very slow loses its place. So nobody keeps others out by many uploads, or
by slow ones.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ocrqueue.web.problems import RETRY_SECONDS, ApiError

PATIENCE = 5.0  # seconds that a request waits for a place
_GRACE = 1.0  # seconds for which it waits before it takes one, and after which the speed of an upload is known
_SLOW, _LONG = 65_536, 10.0  # bytes a second, and after how many seconds an upload is known to be so slow


class Place:
    """The place of one upload."""

    def __init__(self, caller: str) -> None:
        self.caller = caller
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # done once it has the place
        self.is_lost = False  # to another upload
        self._bytes, self._seconds = 0, 0.0  # that have come, and for which the client was waited for
        self._since: float | None = None  # when the wait for the next bytes began; None: they are being stored
        self._limit: asyncio.Timeout | None = None  # of that wait

    @asynccontextmanager
    async def waiting(self, seconds: float) -> AsyncIterator[None]:
        """Wait for the client in the block, at most so long. Raises TimeoutError, and ApiError if the place is lost."""
        self._check()
        self._since = time.monotonic()
        try:
            async with asyncio.timeout(seconds) as self._limit:
                yield
        except TimeoutError:
            self._check()
            raise
        finally:
            self._seconds += time.monotonic() - self._since
            self._since = self._limit = None

    def add(self, bytes: int) -> None:
        """Note that so many bytes have come."""
        self._bytes += bytes

    def lose(self) -> None:
        """Give the place to another upload."""
        self.is_lost = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    @property
    def waited(self) -> float:
        """Seconds for which the client was waited for."""
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)

    @property
    def speed(self) -> float:
        """Bytes a second meanwhile."""
        return self._bytes / max(self.waited, 1e-3)

    def _check(self) -> None:
        if self.is_lost:
            raise _busy("others wait, and this upload was the slowest of those of its caller")


class Places:
    """The places of one process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: list[Place] = []
        self._waiting: list[Place] = []  # for a place, in order

    @asynccontextmanager
    async def place(self, caller: str) -> AsyncIterator[Place]:
        """A place for an upload of this caller, until the block ends. Raises ApiError if none gets free in time."""
        mine = Place(caller)
        self._waiting.append(mine)
        self._give()
        try:
            if not mine.turn.done():
                await asyncio.wait([mine.turn], timeout=_GRACE)
            if not mine.turn.done():
                self._take(mine)
                await asyncio.wait([mine.turn], timeout=PATIENCE - _GRACE)
            if not mine.turn.done():
                raise _busy("this process receives as many uploads as OCR_HTTP_UPLOADS allows")
            yield mine
        finally:
            for places in (self._waiting, self._held):
                if mine in places:
                    places.remove(mine)
            self._give()

    def _give(self) -> None:
        """Give free places to those who wait; first to the caller that has the fewest."""
        while self._waiting and len(self._held) < self._most:
            counts = self._counts()
            first = min(self._waiting, key=lambda one: counts[one.caller])
            self._waiting.remove(first)
            self._held.append(first)
            first.turn.set_result(None)

    def _take(self, mine: Place) -> None:
        """Take the place of another upload, if one is to lose it."""
        counts = self._counts()
        most = max(counts.values())
        of_most = [one for one in self._held if counts[one.caller] == most]
        if most > counts[mine.caller] + 1:
            losers = [one for one in of_most if one.waited >= _GRACE]
        else:
            losers = [one for one in of_most if one.waited >= _LONG and one.speed < _SLOW]
        if losers:
            loser = min(losers, key=lambda one: one.speed)
            loser.lose()
            self._held.remove(loser)
            self._waiting.remove(mine)
            self._held.append(mine)
            mine.turn.set_result(None)

    def _counts(self) -> Counter[str]:
        return Counter(one.caller for one in self._held)


def _busy(why: str) -> ApiError:
    return ApiError("busy", f"{why}: try again", {"Retry-After": str(RETRY_SECONDS)})
