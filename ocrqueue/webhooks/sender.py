"""Sends the deliveries that are due. One process does it at a time, with threads; see `Sender.run`."""

import logging
import math
import random
import time
import uuid
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field

from redis.exceptions import LockError
from redis.lock import Lock

from ocrqueue import names
from ocrqueue.ledger import Ledger
from ocrqueue.ledger.deliveries import ClaimedDelivery, Deliveries, DueDelivery
from ocrqueue.states import DeliveryState
from ocrqueue.webhooks.call import Answer, call
from ocrqueue.webhooks.events import body
from ocrqueue.webhooks.settings import WebhookSettings
from ocrqueue.webhooks.signing import signed

log = logging.getLogger(__name__)

# Seconds from the first try to each try, as Standard Webhooks 1.0.0 proposes.
SCHEDULE = (0, 5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
_JITTER = 0.1  # share by which a pause is longer at random, so that not all tries come at once
_THREADS = 32
_PER_HOST = 4  # calls at the same time
_DEAD = 3  # calls without an answer after which a host is not called for `_SILENCE` seconds
_SILENCE = 3  # less than the pause before a second try, so that a receiver that restarts gets it
_LOCK_SECONDS = 15  # that the lock of a killed sender remains
_CLAIM_MARGIN = 10  # seconds that a claim lasts longer than a try
_NEAR = 6  # seconds: a run waits for a delivery that is due so soon
_LOOK = 0.5  # seconds between two looks for what is due meanwhile
GONE = 410


@dataclass(slots=True)
class _Host:
    """A host that deliveries wait for."""

    waiting: "deque[DueDelivery]" = field(default_factory=deque)
    lanes: int = 0  # calls at the moment
    silent: int = 0  # calls without an answer since the last answer
    since: float = 0.0  # time.monotonic of the last call


class Sender:
    """Sends the deliveries of one ledger. Each run needs a new one."""

    def __init__(self, ledger: Ledger, settings: WebhookSettings, schedule: Sequence[float] = SCHEDULE) -> None:
        self._deliveries = Deliveries(ledger)
        self._settings = settings
        self._schedule = schedule
        self._hosts: dict[str, _Host] = {}
        self._known: set[str] = set()  # ids of deliveries that wait in a host's list, or are being sent
        self._end = 0.0  # when no more calls begin, in the time of time.monotonic

    def run(self, seconds: float) -> int:
        """Send what is due; no call begins after `seconds`. Returns the number of tries.

        Returns 0 while another process sends: one process at a time keeps the number of calls of one host small. It
        does not decide that a try is made once: each delivery is claimed for that.
        """
        self._end = time.monotonic() + seconds
        lock = self._deliveries.redis.lock(names.SENDER, _LOCK_SECONDS, blocking=False, thread_local=False)
        tries, new = 0, 1
        while new and lock.acquire():
            try:
                new = self._send_all(lock)
            finally:
                with suppress(LockError):  # it ran out while this process stood still
                    lock.release()
            tries += new
            if time.monotonic() >= self._end or not self.has_due():  # what came meanwhile found the lock held
                break
        self._deliveries.trim()
        return tries

    def has_due(self) -> bool:
        """Whether a delivery is due."""
        return self._pause() == 0

    def _pause(self) -> float:
        """Seconds until the next delivery is due; infinite if none is pending."""
        next = self._deliveries.next_due()
        return math.inf if next is None else max(0.0, next - self._deliveries.ledger.now())

    def _send_all(self, lock: Lock) -> int:
        """Send until nothing is due, or soon due. Returns the number of tries."""
        running: dict[Future[int], _Host] = {}
        tries = 0
        with ThreadPoolExecutor(_THREADS) as pool:
            while True:
                running |= self._begin(pool)
                if not running and self._pause() >= min(_NEAR, self._end - time.monotonic()):
                    return tries
                if not running:
                    time.sleep(_LOOK)
                for future in wait(running, timeout=_LOOK).done:
                    running.pop(future).lanes -= 1
                    tries += future.result()
                try:
                    lock.reacquire()
                except LockError:  # this process stood still, and another one sends
                    self._end = 0.0

    def _begin(self, pool: ThreadPoolExecutor) -> "dict[Future[int], _Host]":
        """Begin calls for all that is due. Hosts take turns, so that one that does not answer delays no other."""
        if time.monotonic() < self._end:
            for due in self._deliveries.due():
                if due.id not in self._known:
                    self._known.add(due.id)
                    self._hosts.setdefault(due.host, _Host()).waiting.append(due)
        begun: dict[Future[int], _Host] = {}
        for lane in range(_PER_HOST):
            for host in self._hosts.values():
                if lane < len(host.waiting) and host.lanes < _PER_HOST:
                    host.lanes += 1
                    begun[pool.submit(self._drain, host)] = host
        return begun

    def _drain(self, host: _Host) -> int:
        """Send what waits for a host, one delivery after another. Returns the number of tries."""
        tries = 0
        while time.monotonic() < self._end or host.silent >= _DEAD:
            try:
                due = host.waiting.popleft()
            except IndexError:
                return tries
            claimed = self._deliveries.claim(due, uuid.uuid4().hex, self._settings.seconds + _CLAIM_MARGIN)
            if claimed is not None:
                self._settle(claimed, self._try(claimed, host))
                self._known.discard(due.id)
                tries += 1
        host.waiting.clear()
        return tries

    def _try(self, claimed: ClaimedDelivery, host: _Host) -> Answer:
        webhook = claimed.job.submitter.webhook
        if claimed.gone or webhook is None:
            return Answer(GONE, "the URL answered 410 to another delivery of this job")
        if host.silent >= _DEAD:
            if time.monotonic() - host.since < _SILENCE:
                return Answer(error=f"not called: the host did not answer {_DEAD} calls a moment ago")
            host.silent = _DEAD - 1  # if this call has no answer either, the others wait again
        secrets = webhook.secret or self._settings.secret
        if not secrets:
            why = "there is no secret to sign with: give the job one (--webhook-secret-file), or set OCR_WEBHOOK_SECRET"
            return Answer(error=why, final=True)
        content = body(claimed.delivery, claimed.job)
        headers = signed(secrets, claimed.delivery.id, int(time.time()), content)
        answer = call(webhook.url, content, headers, self._settings.urls, self._settings.seconds)
        host.silent = 0 if answer.status or answer.final else host.silent + 1
        host.since = time.monotonic()
        return answer

    def _settle(self, claimed: ClaimedDelivery, answer: Answer) -> None:
        tries = claimed.delivery.tries
        next: float | None = None
        if answer.error is None:
            state = DeliveryState.DELIVERED
        elif answer.status == GONE:
            state = DeliveryState.GONE
        elif answer.final or tries >= len(self._schedule):
            state = DeliveryState.FAILED
        else:
            state = DeliveryState.PENDING
            pause = self._schedule[tries] - self._schedule[tries - 1]
            next = self._deliveries.ledger.now() + pause * random.uniform(1, 1 + _JITTER)
        counted = self._deliveries.settle(claimed, state, next, answer.status, answer.error)
        log.info(
            "job=%s delivery=%s event=%s try=%d status=%s %s%s",
            claimed.job.id, claimed.delivery.id, claimed.delivery.event, tries, answer.status or "none",
            state if counted else "too late", f": {answer.error}" if answer.error else "",
        )  # fmt: skip
