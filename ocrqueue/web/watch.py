"""Waiting for jobs and for tasks of the workers, without a thread or a connection for each waiting request.

Each process has one subscription to the events of all jobs. An event wakes the requests that wait for this job; then
one thread reads the records of all woken jobs in one round trip. Every two seconds it reads those of all followed jobs,
in case an event was lost.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.to_thread import run_sync
from redis import RedisError

from ocrqueue import names
from ocrqueue.client import Client, JobStatus
from ocrqueue.client.follow import INTERVAL, unreachable
from ocrqueue.errors import OcrError
from ocrqueue.ledger import Job, PageRecord
from ocrqueue.ledger.connection import connect_async, reaching
from ocrqueue.ledger.finished import FinishedPages

log = logging.getLogger(__name__)
_PAUSE = 0.02  # seconds between two reads, in which further events are collected
_AGAIN = 1.0  # seconds until Redis is tried again


class Wake:
    """Wakes those who wait for it, each time that `ring` is called."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, or after `seconds`."""
        with anyio.move_on_after(seconds):
            await self._event.wait()


@dataclass(slots=True, eq=False)
class Feed:
    """What is known about a followed job. All requests of this process that follow the job share it."""

    job: str
    status: JobStatus | None = None  # None until it has been read
    error: OcrError | None = None  # why the job can no longer be followed, such as UnknownJob
    pages: list[PageRecord] = field(default_factory=list)  # finished in this round; grows, or is another list
    has_pages: bool = False  # whether `pages` are those of the same moment as the status
    version: int = 0  # increased when any of the above changes
    changed: Wake = field(default_factory=Wake)  # rings then
    users: int = 0  # requests that follow the job
    readers: int = 0  # those of them that want the pages
    finished: FinishedPages | None = None  # reads the pages; only the reading thread uses it

    def now(self) -> JobStatus:
        """The status. Raises the error instead, if the job can no longer be followed."""
        if self.error:
            raise self.error
        assert self.status is not None, "`Watch.following` returns after the first read"
        return self.status

    async def after(self, version: int, seconds: float) -> None:
        """Return once there is a newer version, or after `seconds`."""
        if self.version == version:
            await self.changed.wait(seconds)

    def renew(self) -> None:
        """Count a change, and wake all who follow the job."""
        self.version += 1
        self.changed.ring()


@dataclass(frozen=True, slots=True)
class _Look:
    """What a read has found."""

    status: JobStatus | OcrError
    pages: list[PageRecord] | None = None  # that have finished; None: they were not read
    is_all: bool = False  # whether `pages` are all that have finished, not only those since the last read


class Watch:
    """Follows jobs and tasks. It begins to listen when something is followed for the first time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[str, set[Wake]] = defaultdict(set)  # by the channel of a task's result
        self._due: set[str] = set()  # jobs to be read
        self._work = asyncio.Event()  # set while there are any
        self._limiter: anyio.CapacityLimiter | None = None
        self._running: list[asyncio.Task[None]] = []
        self.is_ending = False  # the process ends: nobody waits any longer

    # -- for requests --------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def following(self, job: str, pages: bool = False) -> AsyncIterator[Feed]:
        """Follow a job until the block ends; with `pages` also the pages that finish.

        Raises UnknownJob, QueueUnavailable, StorageError, also from `Feed.now`.
        """
        self._start()
        feed = self._feeds.get(job)
        if feed is None or feed.error:
            feed = self._feeds[job] = Feed(job)
        feed.users, feed.readers = feed.users + 1, feed.readers + pages
        try:
            self._read_soon(job)
            while not feed.error and (feed.status is None or (pages and not feed.has_pages)):
                await feed.changed.wait(INTERVAL)
            feed.now()
            yield feed
        finally:
            feed.users, feed.readers = feed.users - 1, feed.readers - pages
            if not feed.users and self._feeds.get(job) is feed:
                del self._feeds[job]

    async def wait(self, job: str, seconds: float) -> JobStatus:
        """The status of a job when it has ended, or after `seconds`. Raises as `following`."""
        async with self.following(job) as feed:
            end = time.monotonic() + seconds
            while not feed.now().has_ended and not self.is_ending and (left := end - time.monotonic()) > 0:
                await feed.changed.wait(left)
            return feed.now()

    @contextmanager
    def task(self, task: str) -> Iterator[Wake]:
        """A wake that rings when Celery stores the result of a task. It may not ring: look now and then."""
        self._start()
        channel, wake = names.celery_result_key(task), Wake()
        self._tasks[channel].add(wake)
        try:
            yield wake
        finally:
            self._tasks[channel].discard(wake)
            if not self._tasks[channel]:
                del self._tasks[channel]

    def look_at(self, job: str) -> None:
        """Read a job soon, because this process has changed it."""
        if job in self._feeds:
            self._read_soon(job)

    def end(self) -> None:
        """Let all who wait go on, because the process ends."""
        self.is_ending = True
        for feed in self._feeds.values():
            feed.changed.ring()
        for wakes in self._tasks.values():
            for wake in wakes:
                wake.ring()

    async def close(self) -> None:
        """Stop listening."""
        self.end()
        running, self._running = self._running, []
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task

    # -- listening -----------------------------------------------------------------------------------------------
    def _start(self) -> None:
        if not self._running:
            self._limiter = anyio.CapacityLimiter(1)
            self._running = [asyncio.create_task(_forever(work)) for work in (self._listen, self._read_due)]

    def _read_soon(self, *jobs: str) -> None:
        self._due.update(jobs)
        self._work.set()

    async def _listen(self) -> None:
        """Hear the events of all jobs and tasks until the connection breaks."""
        async with connect_async(self._client.settings) as redis, redis.pubsub() as pubsub:
            await pubsub.psubscribe(names.events_channel("*"), names.celery_result_key("*"))
            async for message in pubsub.listen():
                if message["type"] == "psubscribe":
                    self._read_soon(*self._feeds)  # events before this moment were missed
                elif message["type"] == "pmessage":
                    self._hear(message["channel"])

    def _hear(self, channel: str) -> None:
        for wake in self._tasks.get(channel, ()):
            wake.ring()
        job = channel.removeprefix(names.events_channel(""))
        if job in self._feeds:
            self._read_soon(job)

    # -- reading -------------------------------------------------------------------------------------------------
    async def _read_due(self) -> None:
        """Read jobs that are due, and all of them every two seconds."""
        complete = time.monotonic()  # when all jobs were read
        while True:
            if not self._feeds:
                await self._work.wait()
            with anyio.move_on_after(max(0.0, complete + INTERVAL - time.monotonic())):
                await self._work.wait()
            due, self._due = self._due, set()
            self._work.clear()
            if time.monotonic() >= complete + INTERVAL:
                due, complete = set(self._feeds), time.monotonic()
            await self._read([feed for job in due if (feed := self._feeds.get(job))])
            await asyncio.sleep(_PAUSE)

    async def _read(self, feeds: Sequence[Feed]) -> None:
        if not feeds:
            return
        try:
            looks = await run_sync(self._look, feeds, limiter=self._limiter)
        except OcrError as e:
            for feed in feeds:
                _miss(feed, e)
        else:
            for feed, look in zip(feeds, looks, strict=True):
                _take(feed, look)

    def _look(self, feeds: Sequence[Feed]) -> list[_Look]:
        """Read jobs from Redis, in a thread. Raises QueueUnavailable, StorageError."""
        known = {feed.job: feed.status for feed in feeds if feed.status}
        with reaching(self._client.settings):
            records = self._client.ledger.records([feed.job for feed in feeds])
            statuses = self._client.statuses_of(records, known)
            return [self._look_at(feed, records[feed.job], statuses[feed.job]) for feed in feeds]

    def _look_at(self, feed: Feed, record: Job | OcrError, status: JobStatus | OcrError) -> _Look:
        """The status of a job, and its pages if a request wants them."""
        if not feed.readers:
            return _Look(status)
        if isinstance(record, OcrError):  # Redis has lost the job: its pages are not known
            return _Look(status, [])
        is_new = (
            feed.finished is None
            or feed.status is None
            or feed.status.round != record.round
            or record.finished < len(feed.pages)  # Redis had lost the job, and it was created again
        )
        if not is_new and record.finished == len(feed.pages):
            return _Look(status, [])
        reader = FinishedPages(self._client.redis, feed.job) if is_new else feed.finished
        feed.finished = None  # if reading fails, the next look begins anew
        assert reader is not None
        pages = reader.read(record)
        feed.finished = reader
        return _Look(status, pages, is_new)


def _take(feed: Feed, look: _Look) -> None:
    """Take over what a read has found, and wake the requests that follow the job if it is new."""
    before = feed.status, feed.has_pages
    if isinstance(look.status, OcrError):
        feed.error = look.status
    else:
        feed.status, feed.has_pages = look.status, look.pages is not None
        if look.is_all:
            feed.pages = []
        feed.pages += look.pages or []
    if feed.error or look.pages or (feed.status, feed.has_pages) != before:
        feed.renew()


def _miss(feed: Feed, error: OcrError) -> None:
    """Note that a read failed. A request that has a status already waits on."""
    if feed.status:
        feed.status = unreachable(feed.status, error)
    else:
        feed.error = error
    feed.renew()


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    """Call `work` again and again, also after an error."""
    while True:
        try:
            await work()
        except (RedisError, OSError) as e:
            log.warning("Redis cannot be reached (%s); trying again", type(e).__name__)
        except Exception:
            log.exception("an unforeseen error while jobs are followed; going on")
        await asyncio.sleep(_AGAIN)
