"""The sign of life of a worker: a file whose age a probe looks at (deploy/probe.sh), without Python and without Redis.

The keeper renews the worker's leases on a thread of its own, so it does this also for a consumer that hears nothing any
more; it does not announce such a worker. Here Celery's consumer itself notes when it was last heard: when Redis last
answered its BRPOP, or when its event loop last turned while all children were busy. The warden touches the file, unless
the consumer was silent for `SILENCE` although Redis answered the keeper all the time. While Redis is away the file is
touched, too: a restart of all workers would not bring Redis back.
"""

import logging
import math
import os
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from queue import Empty
from typing import Any

from celery import bootsteps

import worker_config as config

log = logging.getLogger(__name__)
SILENCE = min(60.0, config.OCR_LEASE_SECONDS * 4 / 3)  # seconds after which a consumer or a pool counts as dead
GAP = SILENCE / 2  # seconds without an answer to the keeper, after which Redis counts as away; some beats of the keeper
INTERVAL = SILENCE / 12  # seconds between two touches of the file


class State(StrEnum):
    """What the file says."""

    STARTING = "starting"  # the worker is not announced yet, or cannot load the models of any engine
    ANNOUNCED = "announced"  # it takes messages
    ENDING = "ending"  # it was asked to end, and finishes its pages


class Liveness:
    """The sign of life of this process. Any thread may call it. `clock` returns seconds; tests replace it."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._heard = self._staffed = self._answered = self._answering = self._next = clock()
        self._state = State.STARTING
        self._written: State | None = None  # what the file says
        self.is_dead = False  # for `SILENCE`, though Redis answered: nobody is to rely on this worker
        self._is_unwritable = False

    def heard(self) -> None:
        """The consumer takes messages, or needs none."""
        self._heard = self._clock()

    def answered(self) -> None:
        """Redis has answered the keeper, and accepted what it wrote."""
        now = self._clock()
        if now - self._answered > GAP:
            self._answering = now  # since then it answers without a gap
        self._answered = now

    def enter(self, state: State) -> None:
        """The worker is in this state now. It does not leave `ENDING`."""
        if self._state is not State.ENDING:
            self._state = state

    def tick(self, has_children: bool) -> None:
        """Touch the file if it is time, and if the worker lives. `has_children`: whether its pool has a process."""
        now = self._clock()
        if has_children:
            self._staffed = now
        if self._state is self._written and now < self._next:
            return
        self._next = now + INTERVAL
        if self._state is State.ENDING or not self._dead(now):
            try:
                self._touch()
                self._is_unwritable = False
            except OSError as e:
                if not self._is_unwritable:
                    log.warning("the sign of life %s cannot be written: %s", self._path, e.strerror)
                self._is_unwritable = True

    def end(self) -> None:
        """The worker has ended: remove the file."""
        self._written, self._next = self._state, math.inf
        self._path.unlink(missing_ok=True)

    def _dead(self, now: float) -> bool:
        """Whether the consumer or the pool has been dead for `SILENCE`, in which Redis answered all the time."""
        silent = now - min(self._heard, self._staffed)
        is_dead = silent > SILENCE and now - self._answering > SILENCE and now - self._answered <= GAP
        if is_dead and not self.is_dead:
            what = "takes no messages" if self._heard <= self._staffed else "has no child processes"
            log.critical("this worker %s although Redis answers, for %d s now: its probe fails", what, silent)
        self.is_dead = is_dead
        return is_dead

    def _touch(self) -> None:
        if self._state is self._written:
            try:
                os.utime(self._path)
            except FileNotFoundError:
                self._written = None
        if self._state is not self._written:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.write_text(f"{self._state}\n")
            self._written = self._state


class Listening(bootsteps.StartStopStep):
    """Has each new connection of the consumer note when it was heard."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **more: Any) -> None:
        super().__init__(parent, **more)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """The consumer has connected, also again."""
        handlers = parent.task_consumer.channel.handlers  # kombu's, of what Redis answers
        handlers["BRPOP"] = _noting(handlers["BRPOP"])
        self._look(parent)
        self._timer = parent.timer.call_repeatedly(INTERVAL, self._look, (parent,))

    def stop(self, parent: Any) -> None:  # noqa: ARG002 -- Celery's interface
        """The consumer connects again, or ends."""
        if self._timer:
            self._timer.cancel()

    def _look(self, parent: Any) -> None:
        """Called by the event loop. No BRPOP waits while all children are busy, or while every queue is suspended."""
        consumer = parent.task_consumer
        if consumer and not (consumer.queues and consumer.channel.qos.can_consume()):
            sign.heard()


def _noting(handler: Callable[[], Any]) -> Callable[[], Any]:
    """A handler that notes an answer, with a message or without one."""

    def handle() -> Any:
        try:
            found = handler()
        except Empty:
            sign.heard()
            raise
        sign.heard()
        return found

    return handle


sign: Liveness  # of this process, if it is a worker's parent


def prepare(worker: str) -> None:
    """Make this process's sign of life. `worker` is the worker's name, such as pages@host."""
    global sign
    path = config.OCR_DATA_DIR / "alive" / worker.replace("/", "_")
    path.unlink(missing_ok=True)  # of an earlier worker, which was killed
    sign = Liveness(path)
