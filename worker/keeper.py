"""The keeper: a thread of the worker's parent process that says what the worker serves, renews the leases of the claims
its children hold, and gives back those of children that died.

A thread, since the parent's event loop stands still while the connection to the broker is made anew, and leases do not.
"""

import logging
import os
import queue
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from celery import bootsteps
from celery.worker import state
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import __version__, names
from ocrqueue.engines import engine_class
from ocrqueue.errors import ModelUnavailable
from ocrqueue.ledger.workers import Worker, announce, withdraw
from ocrqueue.settings import hostname
from ocrqueue.steps.page_cache_key import reads_as
from worker import context, warden
from worker.telling import dispatch

log = logging.getLogger(__name__)
BEAT = config.OCR_LEASE_SECONDS / 4.5  # seconds between renewals
ANNOUNCED = float(config.OCR_LEASE_SECONDS)  # seconds that an announcement lasts
STUCK = 20.0  # seconds without children after which a worker that should have ended is ended
_closing = threading.Event()


@dataclass(frozen=True, slots=True)
class Loss:
    """A claim whose child is gone, or a job whose task was revoked."""

    job: str
    token: str
    how: str  # "lost", "timeout", "release" or "cancel"


class Closing(bootsteps.StartStopStep):
    """Celery closes its steps whatever a worker ends of; its flags say that it was told to."""

    def close(self, parent: Any) -> None:  # noqa: ARG002 -- the protocol's
        """The worker begins to end."""
        _closing.set()


def is_ending() -> bool:
    """Whether this worker ends, or has been told to: Celery's flags are exit codes, and 0 is one."""
    return _closing.is_set() or state.should_stop is not None or state.should_terminate is not None


losses: "queue.Queue[Loss | None]" = queue.Queue()

# Held while this thread publishes. A child made at that moment, to replace the one that died, would inherit the locks
# of Celery's event dispatcher and of kombu's pools as they are: taken, for ever.
_publishing = threading.RLock()
os.register_at_fork(before=_publishing.acquire, after_in_parent=_publishing.release, after_in_child=_publishing.release)


class Keeper(threading.Thread):
    """One per worker, from its first moment to its last."""

    def __init__(self, consumer: Any, worker: str) -> None:
        super().__init__(name="keeper", daemon=True)
        self._consumer = consumer
        self._worker = worker
        self._since = time.time()
        self._queues = set(consumer.app.amqp.queues.consume_from)
        self._engines = {n: engine_class(p)() for n, p in config.SERVED.items() if config.QUEUES[n] in self._queues}
        self._ending = threading.Event()
        self._patience: float | None = None  # until when pages may still end, once the worker ends
        self._stuck: float | None = None  # when this process is ended, once its children are

    def run(self) -> None:
        """Beat until the worker ends."""
        next_beat = 0.0
        while not self._ending.is_set():
            try:
                if is_ending():
                    self._hurry()
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + BEAT
                    self._renew()
                    if not is_ending():
                        self._announce()
                loss = losses.get(timeout=min(1.0, max(0.0, next_beat - time.monotonic())))
                if loss:
                    self._give_back(loss)
            except queue.Empty:
                pass
            except Exception as e:  # noqa: BLE001 -- without this thread every claim of this worker would be lost
                log.warning("the keeper is held up (%s: %s); trying again", type(e).__name__, e)

    def end(self) -> None:
        """The worker ends: what its children still held goes back, uncounted."""
        self._ending.set()
        losses.put(None)
        self.join(timeout=20)
        self._release(self._held())
        withdraw(context.redis(), self._worker)

    def _hurry(self) -> None:
        """The worker takes nothing more, and waits for its children; after a while all of them are ended.

        All: one that hangs, or still loads its model, has no page, and the pool waits for it as well. Should the worker
        not end even then, it is ended too: whoever supervises it can start it again.
        """
        now = time.monotonic()
        if self._patience is None:
            self._patience = now + config.OCR_SHUTDOWN_SECONDS
            withdraw(context.redis(), self._worker)
        elif now > self._patience:
            self._patience = now + BEAT
            self._stuck = self._stuck or now + STUCK
            held = self._held()
            self._kill_children()
            self._release(held)
            if now > self._stuck:
                log.critical("this worker has no children left and does not end: it is ended")
                logging.shutdown()
                os._exit(1)

    def _kill_children(self) -> None:
        for pid in warden.children(self._consumer.pool):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _release(self, claims: list[tuple[str, str]]) -> None:
        for job, token in claims:
            try:
                self._give_back(Loss(job, token, "release"))
            except Exception as e:  # noqa: BLE001 -- the others are to go back all the same
                log.warning(
                    "job=%s: its claim could not be given back (%s); it will be when its lease runs out", job, e
                )

    def _requests(self) -> list[Any]:
        """The deliveries that the pool is working on."""
        while True:
            try:
                return [r for r in list(state.active_requests) if hasattr(r, "token")]
            except RuntimeError:  # the event loop added or removed one meanwhile
                continue

    def _held(self) -> list[tuple[str, str]]:
        """(job, token) of each."""
        return [(r.job, r.token) for r in self._requests()]

    def _renew(self) -> None:
        context.ledger().renew(self._held())

    def _announce(self) -> None:
        redis = context.redis()
        unable = {n for n in self._engines if redis.exists(names.unable_key(self._worker, n))}
        self._follow(unable)
        children = self._consumer.pool.num_processes
        engines = {name: offer for name in self._engines.keys() - unable if (offer := self._offer(name))}
        queues = self._queues - {config.QUEUES[n] for n in self._engines.keys() - engines.keys()}
        row = Worker(
            id=self._worker, host=hostname(), pid=self._consumer.pid, version=__version__, queues=tuple(sorted(queues)),
            engines=engines, children=children, started=self._since,
        )  # fmt: skip
        announce(redis, row, ANNOUNCED)
        for pid in warden.children(self._consumer.pool):
            redis.expire(names.child_key(self._worker, pid), int(ANNOUNCED))

    def _offer(self, name: str) -> dict[str, Any] | None:
        """What is said of an engine; None while its model is not there."""
        engine = self._engines[name]
        try:
            model = engine.default_model()
            way = reads_as(engine, model, config.LIMITS)
        except ModelUnavailable as e:
            log.warning("%s: %s", e.code, e.message)
            return None
        queue_name = config.QUEUES[name]
        return {
            "model": model.name,
            "revision": model.revision,
            "batch": engine.batch,
            "queue": queue_name,
            "reads_as": way,
        }

    def _follow(self, unable: set[str]) -> None:
        """Take an engine's queue again once the pause after a failed load is over; its child stopped taking it."""
        for name in self._engines.keys() - unable:
            queue_name = config.QUEUES[name]
            if not is_ending() and not self._consumer.task_consumer.consuming_from(queue_name):
                self._consumer.call_soon(self._consumer.add_task_queue, queue_name)

    def _give_back(self, loss: Loss) -> None:
        try:
            ledger = context.ledger()
            step = ledger.cancel(loss.job) if loss.how == "cancel" else ledger.lose(loss.job, loss.token, loss.how)
            with _publishing:
                dispatch(step.messages)
        except RedisError:
            if not self._ending.is_set():
                losses.put(loss)  # until Redis is back; the lease is not renewed meanwhile
            raise
