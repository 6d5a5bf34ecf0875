"""Tasks that work under a claim, and what the worker's parent process does when the child that holds it is gone."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from billiard.exceptions import WorkerLostError
from celery.app.task import Task
from celery.exceptions import Ignore
from celery.worker import state
from celery.worker.request import Request
from redis.exceptions import RedisError

from ocrqueue import names
from ocrqueue.ledger import LastTry
from ocrqueue.process.watchdog import SIGNAL
from ocrqueue.states import Return
from worker import context
from worker.parent import keeper, warden

log = logging.getLogger(__name__)
T = TypeVar("T")
TOKEN = "ocr_token"  # noqa: S105 -- a header's name


class RedisAway(Ignore):
    """Raised in a child whose claim its parent is to return as soon as Redis can be asked again."""


def job_of(task: str, args: Sequence[object], id: object) -> str:
    """The id of the job that a message is about: that of the task, or its first argument."""
    return str(args[0]) if task != names.DOCUMENT and args else str(id)


class ClaimRequest(Request):
    """A message of a task that works under a claim, as the parent process holds it until the task has ended.

    The parent makes the claim's token, so that it can renew the lease, and return the claim when the child is gone.
    Celery stores nothing under the task's id: the id is the job's, and `worker.dispatch` stores the job's end there.
    """

    store_errors = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_limits = (None, None)  # the sender cannot choose them
        self.token = uuid.uuid4().hex
        self._request_dict[TOKEN] = self.token
        self._received = time.monotonic()

    @property
    def job(self) -> str:
        """The id of the message's job, as it stands in the message."""
        return job_of(self.name, self.args, self.id)

    def revoked(self) -> bool:
        """Cancel the job if this task was revoked (Flower's button, `AsyncResult.revoke`); the task still runs.

        A job's own id is handled in `worker.parent.control`; in `worker.messages` if it was revoked before it arrived.
        """
        if self.id in state.revoked and self.name != names.DOCUMENT:
            keeper.cancel(self.job)
        return False

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """The child is gone, or Redis was: return the claim at once instead of waiting for its lease to end."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError):
            lost = Return.RELEASE if keeper.is_ending() else Return.LOST
            self._return_claim(Return.TIMEOUT if SIGNAL in str(error) else lost)
            send_failed_event = False
        elif isinstance(error, RedisAway):
            keeper.return_claim(self.job, self.token, Return.RELEASE)
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Celery's own time limit ended the child. The limit inside the child is shorter and normally ends it first."""
        if not soft:
            self._return_claim(Return.TIMEOUT)
        return super().on_timeout(soft, timeout)

    def _return_claim(self, reason: Return) -> None:
        if reason is Return.TIMEOUT and warden.stood_still(self._received):
            reason = Return.RELEASE  # the machine or this process was suspended, so the page is not to blame
        log.warning("job=%s: the child that worked on it is gone (%s)", self.job, reason)
        keeper.return_claim(self.job, self.token, reason)


class CheckedTask(Task):
    """A task of this project: a malformed message is refused before Celery reads it."""

    abstract = True
    Strategy = "worker.messages:strategy"

    def refuse(self, why: str) -> Ignore:
        """Log in one line why a message is refused; raise what this returns."""
        log.warning("%s[%s] refused: %s", self.name, self.request.id, why)
        return Ignore(why)


class ClaimTask(CheckedTask):
    """A task that works under a claim."""

    abstract = True
    Request = ClaimRequest

    @property
    def token(self) -> str:
        """The token of this message's claim; a new one where the task runs outside a worker."""
        return getattr(self.request, TOKEN, None) or uuid.uuid4().hex

    @contextmanager
    def claiming(self, take: Callable[[bool], T]) -> Iterator[T]:
        """The claim that `take(alone)` returns. `alone` says whether this worker holds no other claim meanwhile.

        The last attempt at a page is made alone: a page that ends the whole worker would otherwise end the claims of
        the other children too, and one of those might be given up for it.

        Where Redis cannot be asked any more, the claim is returned, and no attempt is counted. Raises RedisAway then.
        """
        with ExitStack() as held:
            held.enter_context(context.claim_lock().shared())
            try:
                try:
                    claim = take(False)
                except LastTry:
                    held.close()
                    held.enter_context(context.claim_lock().exclusive())
                    claim = take(True)
                yield claim
            except RedisError as e:
                job = job_of(self.name, self.request.args or (), self.request.id)
                log.warning("job=%s: given back, because Redis could not be asked: %s", job, e)
                raise RedisAway from e


class DocumentRequest(ClaimRequest):
    """A message `ocr.document`, whose id is the job's: in Flower it ends with the job, not with the task."""

    def send_event(self, type: str, **fields: Any) -> None:
        """Send an event of the task, except that it has succeeded."""
        if type != "task-succeeded":
            super().send_event(type, **fields)


class DocumentTask(ClaimTask):
    """The task of those messages."""

    abstract = True
    Request = DocumentRequest

    def leave_open(self) -> None:
        """Have Celery neither store this task's result under the job's id, nor send the messages that follow from it.

        Raising Ignore has the same effect. But Celery then writes and sends a traceback, which takes 1 ms.
        """
        self.request.update(ignore_result=True, callbacks=None, chain=None, chord=None)
