"""What the worker's parent does with a delivery: refuses what is malformed, and follows a task that holds a claim."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from billiard.exceptions import WorkerLostError
from celery.app.task import Task
from celery.exceptions import Ignore
from celery.worker import state
from celery.worker.request import Request
from celery.worker.strategy import default
from kombu.exceptions import ContentDisallowed, DecodeError

from ocrqueue import names
from ocrqueue.ledger import LastTry
from ocrqueue.process.watchdog import SIGNAL
from worker import context, warden
from worker.keeper import Loss, is_ending, losses

log = logging.getLogger(__name__)
T = TypeVar("T")
TOKEN = "ocr_token"  # noqa: S105 -- a header's name


class ClaimRequest(Request):
    """A delivery of a task that works under a claim.

    The token is made here, in the parent, so that the parent can renew the claim's lease and give the claim back when
    the child is gone. Nothing is ever stored under the task's id but the end of the job, by `worker.telling`.
    """

    store_errors = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_limits = (None, None)  # not the sender's to choose
        self.token = uuid.uuid4().hex
        self._request_dict[TOKEN] = self.token
        self._received = time.monotonic()

    @property
    def job(self) -> str:
        """The id of the job this is about, as the message has it."""
        return str(self.args[0]) if self.name != names.DOCUMENT and self.args else str(self.id)

    def revoked(self) -> bool:
        """A revoke (Flower's button, `AsyncResult.revoke`) cancels the job; the message itself still does its part.

        Of a job's own id see `worker.revoke` and, where no job is made of the message yet, `tasks.document`.
        """
        if self.id in state.revoked and self.name != names.DOCUMENT:
            losses.put(Loss(self.job, "", "cancel"))
        return False

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """The child is gone, or raised: give the claim back at once rather than when its lease runs out."""
        error = exc_info.exception
        if isinstance(getattr(error, "exc", error), WorkerLostError):
            how = "release" if is_ending() else "lost"
            self._give_back("timeout" if SIGNAL in str(error) else how)
            send_failed_event = False
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Celery's own limit, the net above the one in the child."""
        if not soft:
            self._give_back("timeout")
        return super().on_timeout(soft, timeout)

    def _give_back(self, how: str) -> None:
        if how == "timeout" and warden.stood_still(self._received):
            how = "release"  # a lid was closed, or everything stopped: the time that ran out is not the page's
        log.warning("job=%s: the child that worked on it is gone (%s)", self.job, how)
        losses.put(Loss(self.job, self.token, how))


def strategy(task: Task, app: Any, consumer: Any, **kwargs: Any) -> Callable[..., Any]:
    """Celery's way from a message to a task, behind a check: a body of another shape would end the whole worker."""
    handle = default(task, app, consumer, **kwargs)

    def handle_message(message: Any, body: Any, *args: Any) -> Any:
        if why := _malformed(message):
            log.warning("%s refused: a malformed message: %s", task.name, why)
            return message.reject_log_error(log, consumer.connection_errors)
        return handle(message, body, *args)

    return handle_message


def _malformed(message: Any) -> str | None:
    """What is wrong with a message, whatever it says: Celery's protocol 2, in JSON."""
    try:
        payload = message.payload
    except (ContentDisallowed, DecodeError) as e:
        return " ".join(str(e).split())
    match payload:
        case [list(), dict(), dict() | None]:
            return None if isinstance(message.headers.get("id"), str) else "its header `id` is no text"
    return "its body is not [[arguments], {named arguments}, {}]"


class CheckedTask(Task):
    """A task of this project."""

    abstract = True
    Strategy = "worker.claims:strategy"


class ClaimTask(CheckedTask):
    """A task that works under a claim."""

    abstract = True
    Request = ClaimRequest

    @property
    def token(self) -> str:
        """The token of this delivery; a task called in any other way than through a worker has a new one."""
        return getattr(self.request, TOKEN, None) or uuid.uuid4().hex

    @contextmanager
    def claiming(self, take: Callable[[bool], T]) -> Iterator[T]:
        """What `take(alone)` claims, to be worked on beside this worker's other children.

        A last try is made alone, with no other claim in this worker, so that nothing is given up for what another did:
        whoever takes the worker along takes the claims of all its children.
        """
        with ExitStack() as held:
            held.enter_context(context.beside().shared())
            try:
                claim = take(False)
            except LastTry:
                held.close()
                held.enter_context(context.beside().exclusive())
                claim = take(True)
            yield claim

    def refuse(self, why: str) -> Ignore:
        """Log why a message is not for us, in one line, and be done with it."""
        log.warning("%s[%s] refused: %s", self.name, self.request.id, why)
        return Ignore(why)
