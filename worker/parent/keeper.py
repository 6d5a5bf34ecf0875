"""The keeper: a thread of the worker's parent process that looks after the claims of its children.

It renews the leases of these claims, returns the claims of children that died, and ends children that do not stop when
the worker does. It is a thread because the parent's event loop stands still while it connects to the broker again, and
leases run on.
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
from ocrqueue.states import Return
from ocrqueue.steps.housekeeping import remove_ended_copies
from ocrqueue.steps.structure import has_text
from worker import context, refused_writes
from worker.dispatch import dispatch
from worker.parent import liveness, warden
from worker.parent.announcer import Announcer
from worker.parent.liveness import State

log = logging.getLogger(__name__)
BEAT = min(config.OCR_LEASE_SECONDS / 4.5, 15.0)  # seconds between two renewals of the leases
STUCK = 20.0  # seconds after which a worker without children that has not ended is ended
_closing = threading.Event()


@dataclass(frozen=True, slots=True)
class ClaimReturn:
    """A claim to return to the ledger, because the child process that held it is gone."""

    job: str  # the job's id
    token: str  # of the claim
    reason: Return


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A job to cancel, because its task was revoked."""

    job: str  # the job's id


Order = ClaimReturn | CancelRequest
_orders: "queue.Queue[Order | None]" = queue.Queue()  # for the keeper's thread; None only wakes it


def return_claim(job: str, token: str, reason: Return) -> None:
    """Have the keeper return a claim to the ledger."""
    _orders.put(ClaimReturn(job, token, reason))


def cancel(job: str) -> None:
    """Have the keeper cancel a job."""
    _orders.put(CancelRequest(job))


class Closing(bootsteps.StartStopStep):
    """Notes that the worker ends. Celery closes its steps whatever the reason; its flags only say that it was asked."""

    def close(self, parent: Any) -> None:  # noqa: ARG002 -- Celery's interface
        """The worker begins to end."""
        _closing.set()


def is_ending() -> bool:
    """Whether this worker is ending, or was asked to. Celery's flags are exit codes, of which 0 is one."""
    return _closing.is_set() or state.should_stop is not None or state.should_terminate is not None


# Held while the keeper publishes. A child that is forked at that moment, to replace one that died, would inherit the
# locks of Celery's event dispatcher and of kombu's pools in the locked state, and nobody would ever unlock them.
_publishing = threading.RLock()
os.register_at_fork(before=_publishing.acquire, after_in_parent=_publishing.release, after_in_child=_publishing.release)


class Keeper(threading.Thread):
    """One per worker, from its first moment to its last. `worker` is the worker's id."""

    def __init__(self, consumer: Any, worker: str) -> None:
        super().__init__(name="keeper", daemon=True)
        self._consumer = consumer
        self._announcer = Announcer(consumer, worker)
        self._ending = threading.Event()
        self._patience: float | None = None  # monotonic time until which pages may finish while the worker ends
        self._stuck: float | None = None  # monotonic time at which this process is ended if it still runs

    def run(self) -> None:
        """Work until the worker ends."""
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
                    remove_ended_copies(context.ledger(), context.source_copies())
                order = _orders.get(timeout=min(1.0, max(0.0, next_beat - time.monotonic())))
                if order:
                    self._begin(order)
            except queue.Empty:
                pass
            except Exception as e:  # noqa: BLE001 -- without this thread every claim of this worker would be lost
                log.warning(
                    "the worker cannot renew its leases or announcement (%s: %s); trying again", type(e).__name__, e
                )

    def end(self) -> None:
        """The worker ends: return the claims that its children still hold, without counting an attempt."""
        self._ending.set()
        _orders.put(None)
        self.join(timeout=20)
        self._release(self._held())
        self._announcer.withdraw()

    def _hurry(self) -> None:
        """End all children once the worker has waited OCR_SHUTDOWN_SECONDS for them.

        Children without a page are ended too: the pool also waits for one that hangs or still loads its model. If the
        worker does not end even then, this process is ended, so that its supervisor can start it again.
        """
        now = time.monotonic()
        if self._patience is None:
            self._patience = now + config.OCR_SHUTDOWN_SECONDS
            liveness.sign.enter(State.ENDING)
            self._announcer.withdraw()
        elif now > self._patience:
            self._patience = now + BEAT
            self._stuck = self._stuck or now + STUCK
            held = self._held()
            self._kill_children()
            self._release(held)
            if now > self._stuck:
                log.critical("this worker has no children left and does not end: its process is ended now")
                logging.shutdown()
                os._exit(1)

    def _kill_children(self) -> None:
        for pid in warden.children(self._consumer.pool):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _release(self, claims: list[tuple[str, str]]) -> None:
        for job, token in claims:
            try:
                self._carry_out(ClaimReturn(job, token, Return.RELEASE))
            except Exception as e:  # noqa: BLE001 -- the other claims are returned all the same
                log.warning("job=%s: its claim could not be returned (%s); it is free when its lease ends", job, e)

    def _requests(self) -> list[Any]:
        """The messages that the children are working on."""
        while True:
            try:
                return [r for r in list(state.active_requests) if hasattr(r, "token")]
            except RuntimeError:  # the event loop added or removed one meanwhile
                continue

    def _held(self) -> list[tuple[str, str]]:
        """The claims of the children, as (job, token)."""
        return [(r.job, r.token) for r in self._requests()]

    def _renew(self) -> None:
        context.ledger().renew(self._held())

    def _announce(self) -> None:
        """Announce the worker, unless its consumer takes no messages: then nobody is to rely on it."""
        if liveness.sign.is_dead:
            self._announcer.withdraw()
        else:
            serves = self._announcer.announce()
            refused_writes.accepted()
            liveness.sign.enter(State.ANNOUNCED if serves else State.STARTING)
        liveness.sign.answered()

    def _begin(self, order: Order) -> None:
        """Carry out an order; in a thread if it asks the storage, which may be silent for as long as a lease lasts."""
        if isinstance(order, ClaimReturn) and order.reason is Return.TIMEOUT:
            threading.Thread(target=self._carry_out_aside, args=(order,), daemon=True).start()
        else:
            self._carry_out(order)

    def _carry_out_aside(self, order: Order) -> None:
        try:
            self._carry_out(order)
        except Exception as e:  # noqa: BLE001 -- nobody else would log it
            log.warning("job=%s: its claim could not be returned (%s: %s)", order.job, type(e).__name__, e)

    def _carry_out(self, order: Order) -> None:
        try:
            ledger = context.ledger()
            if isinstance(order, CancelRequest):
                step = ledger.cancel(order.job)
            else:
                step = ledger.return_claim(order.job, order.token, _reason(order))
            with _publishing:
                dispatch(step.messages)
        except RedisError:
            if not self._ending.is_set():
                _orders.put(order)  # again, until Redis is back; the lease is not renewed meanwhile
            raise


def _reason(order: ClaimReturn) -> Return:
    """Why a claim is returned. Text that is stored is not given up because the time ran out that its blocks take."""
    if order.reason is Return.TIMEOUT and has_text(order.job, order.token, context.ledger(), context.spool()):
        return Return.LOST
    return order.reason
