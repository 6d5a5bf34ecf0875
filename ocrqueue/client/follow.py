"""Following jobs until they end: published events wake the client, which then reads the statuses from the ledger."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Protocol

from redis import Redis, RedisError
from redis.client import PubSub

from ocrqueue import names
from ocrqueue.client.status import JobStatus
from ocrqueue.errors import JobTimeout, OcrError, QueueUnavailable
from ocrqueue.states import JobState

INTERVAL = 2.0  # seconds after which the ledger is read even without an event
GATHER = 0.1  # seconds after a first event in which further events are collected before the ledger is read
PATIENCE = 300.0  # seconds to wait for a Redis that does not answer, if there is no timeout

Statuses = Mapping[str, JobStatus]
Read = Callable[[Collection[str], Statuses], dict[str, JobStatus]]


class Wake(Protocol):
    """Waits until something has happened to a job."""

    def listen(self) -> None:
        """Begin to listen, so that nothing that happens from now on is missed."""
        ...

    def wait(self, seconds: float, jobs: Sequence[str]) -> set[str]:
        """Wait for at most `seconds` until something happens to one of these jobs; returns those."""
        ...

    def close(self) -> None:
        """Listen no longer."""
        ...


def follow(wake: Wake, jobs: Collection[str], read: Read, timeout: float | None) -> Iterator[Statuses]:
    """Yield the statuses of these jobs at every change, and at least every two seconds, until all have ended.

    `read(ids, known)` reads the statuses. Raises JobTimeout after `timeout` seconds, and QueueUnavailable if the other
    side does not answer the first time, or does not answer for five minutes and there is no timeout.
    """
    deadline = time.monotonic() + timeout if timeout is not None else None
    known: dict[str, JobStatus] = {}
    due: Collection[str] = jobs
    seen = time.monotonic()
    with closing(wake):
        wake.listen()
        while True:
            try:
                known |= read(due, known)
                seen = time.monotonic()
                shown = {job: known[job] for job in jobs}
            except QueueUnavailable as e:
                if not known or (deadline is None and time.monotonic() - seen > PATIENCE):
                    raise
                shown = {job: unreachable(known[job], e) for job in jobs}
            yield shown
            open_jobs = [job for job in jobs if not known[job].has_ended]
            if not open_jobs:
                return
            left = INTERVAL if deadline is None else min(INTERVAL, deadline - time.monotonic())
            if left <= 0:
                raise JobTimeout(_too_long(open_jobs, timeout or 0))
            woken = wake.wait(left, open_jobs)
            due = [job for job in open_jobs if job in woken] or open_jobs


def unreachable(status: JobStatus, error: OcrError) -> JobStatus:
    """The status to show for a job while Redis cannot be reached."""
    return status if status.has_ended else replace(status, waiting_for=f"trying again: {error.message}")


def _too_long(jobs: list[str], timeout: float) -> str:
    what = f"job {jobs[0]} has" if len(jobs) == 1 else f"{len(jobs)} jobs have"
    return f"{what} not ended within {timeout:g} s; it continues in the queue, see `submit.py wait`"


class Events:
    """Listens to the jobs' channels. Connects again after an error; the statuses of missed events are read later."""

    def __init__(self, redis: Redis, jobs: Collection[str]) -> None:
        self._redis = redis
        self._jobs = {names.events_channel(job): job for job in jobs}
        self._pubsub: PubSub | None = None

    def wait(self, seconds: float, jobs: Sequence[str]) -> set[str]:  # noqa: ARG002 -- the interface
        """Wait for events of any job, at most `seconds`, and return the jobs that had one.

        Returns shortly after the first event, and at once if a job has ended.
        """
        end = time.monotonic() + seconds
        heard: set[str] = set()
        try:
            while (left := end - time.monotonic()) > 0:
                message = self._connected().get_message(timeout=left)
                if not message:
                    continue
                if not heard:
                    end = min(end, time.monotonic() + GATHER)
                heard.add(self._jobs[message["channel"]])
                if json.loads(message["data"]).get("state", JobState.RUNNING) != JobState.RUNNING:
                    break  # the job has ended
            return heard
        except (RedisError, OSError):
            self.close()
            time.sleep(max(0.0, min(1.0, end - time.monotonic())))
            return set()

    def listen(self) -> None:
        """Subscribe now, so that no later event is missed; if Redis does not answer, `wait` tries again."""
        with suppress(RedisError):
            self._connected()

    def _connected(self) -> PubSub:
        if self._pubsub is None:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            pubsub.subscribe(*self._jobs)
            self._pubsub = pubsub
        return self._pubsub

    def close(self) -> None:
        """Close the subscription."""
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
