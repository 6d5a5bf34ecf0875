"""The warden: a thread of the worker's parent process that measures its children every second and ends one that uses
more than OCR_MAX_CHILD_MB. It also gives the worker's sign of life.

It is not the keeper's thread, because the keeper may wait half a minute while Redis is away.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil

import worker_config as config
from ocrqueue.process.memory import footprint
from worker.parent import liveness

log = logging.getLogger(__name__)
INTERVAL = 1.0  # seconds between two measurements
PAUSE = 5.0  # seconds without a measurement, after which this process must have been suspended (sleep, SIGSTOP)


class Warden(threading.Thread):
    """One per worker. `pool` is Celery's pool of children."""

    def __init__(self, pool: Any) -> None:
        super().__init__(name="warden", daemon=True)
        self._pool = pool
        self._limit = config.OCR_MAX_CHILD_MB * 2**20
        self._last = time.monotonic()  # time of the last measurement
        self._resumed = 0.0  # monotonic time at which the last suspension ended

    def run(self) -> None:
        """Measure until the process ends."""
        while True:
            time.sleep(INTERVAL)
            self._tick()
            pids = children(self._pool)
            liveness.sign.tick(bool(pids) or getattr(self._pool, "_pool", None) is None)
            for pid in pids:
                with suppress(psutil.Error, ProcessLookupError):
                    self._measure(pid)

    def stood_still(self, since: float) -> bool:
        """Whether this process was suspended after `since` (monotonic): a child's time limit ran on meanwhile."""
        return self._resumed > since or time.monotonic() - self._last > PAUSE

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._last > PAUSE:
            self._resumed = now
        self._last = now

    def _measure(self, pid: int) -> None:
        used = footprint(pid)
        if used > self._limit:
            log.error(
                "child %d uses %d MB, more than OCR_MAX_CHILD_MB=%d: it is ended, and its claim counts as lost",
                pid, used >> 20, config.OCR_MAX_CHILD_MB,
            )  # fmt: skip
            os.kill(pid, signal.SIGKILL)


def children(pool: Any) -> list[int]:
    """Process ids of a prefork pool's children; none for any other pool."""
    return [p.pid for p in list(getattr(getattr(pool, "_pool", None), "_pool", None) or ()) if p.pid]


def memory(pool: Any) -> Iterator[int]:
    """Resident memory of each child of a prefork pool, in bytes."""
    for pid in children(pool):
        with suppress(psutil.Error):
            yield int(psutil.Process(pid).memory_info().rss)


warden: Warden | None = None  # of this process, if it is a worker's parent


def start(pool: Any) -> None:
    """Start this process's warden."""
    global warden
    warden = Warden(pool)
    warden.start()


def stood_still(since: float) -> bool:
    """Whether this process was suspended for a while after `since`, a reading of the monotonic clock."""
    return warden is not None and warden.stood_still(since)
