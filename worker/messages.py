"""Messages as they arrive: malformed ones are refused, and a plain message becomes a job."""

import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery.app.task import Task
from celery.exceptions import Ignore
from celery.utils.time import maybe_iso8601
from celery.worker.strategy import default
from kombu.exceptions import ContentDisallowed, DecodeError
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import names
from ocrqueue.errors import DocumentError, InvalidOptions, OcrError, QueueFull
from ocrqueue.ledger import NewerRecord, Source
from ocrqueue.options import Options
from ocrqueue.steps.accept import accept
from ocrqueue.storage.spool import JOB
from worker.claims import CheckedTask
from worker.context import ledger, spool
from worker.parent.consumer import drop
from worker.publication.results import forget_result, turn_away

log = logging.getLogger(__name__)


def strategy(task: Task, app: Any, consumer: Any, **kwargs: Any) -> Callable[..., Any]:
    """Celery's way from a message to a task, behind a check: a body of another shape would end the whole worker."""
    handle = default(task, app, consumer, **kwargs)

    def handle_message(message: Any, body: Any, *args: Any) -> Any:
        if why := _malformed(message):
            _answer(task, message.headers.get("id"), f"a malformed message: {why}")
            message.reject_log_error(log, consumer.connection_errors)
            return drop(f"{task.name} refused: a malformed message: {why}")
        return handle(message, body, *args)

    return handle_message


# Headers that Celery takes for texts. Another value for `shadow` would keep the place of a child for ever.
_TEXTS = ("shadow", "root_id", "parent_id", "group", "origin", "lang", "argsrepr", "kwargsrepr")


def _malformed(message: Any) -> str | None:
    """Why a message is not of Celery's protocol 2 in JSON; None if it is."""
    try:
        payload = message.payload
    except (ContentDisallowed, DecodeError) as e:
        return " ".join(str(e).split())
    match payload:
        case [list(), dict(), dict() | None]:
            if not isinstance(message.headers.get("id"), str):
                return "its header `id` is no text"
            texts = (name for name in _TEXTS if not isinstance(message.headers.get(name), str | None))
            if name := next(texts, None):
                return f"its header `{name}` is no text"
            wrong = (name for name in ("eta", "expires") if not _is_time(message.headers.get(name)))
            return next((f"its header `{name}` is no time in ISO 8601" for name in wrong), None)
    return "its body is not [[arguments], {named arguments}, {}]"


def _is_time(value: object) -> bool:
    """Whether Celery can read a header as a time; None stands for no time."""
    try:
        return value is None or maybe_iso8601(value) is not None
    except (AttributeError, TypeError, ValueError):
        return False


def _answer(task: Task, job: object, why: str) -> None:
    """Tell a document's sender why the message is refused, under its id if that is text.

    A job that exists gets no such answer: it may be another sender's, or a newer client's, and a newer worker goes on.
    """
    if task.name == names.DOCUMENT and isinstance(job, str):
        with suppress(RedisError, UnicodeError):  # Redis may be full; the id may hold half a character
            if not ledger().redis.exists(names.job_key(job)):
                turn_away(job, InvalidOptions(why))


def parse_job(task: CheckedTask, job: object, version: object) -> str:
    """The id of the job that a message is about. Raises Ignore, after a line in the log, if the message is refused.

    A document's sender gets an answer, under the id as it was sent; see `_answer`.
    """
    if type(version) is not int or not 1 <= version <= names.VERSION:
        known = f"1 to {names.VERSION}"
        why = f"a message of version {version!r}; this worker reads {known}: send one of them, or upgrade it"
    else:
        try:
            canonical = str(uuid.UUID(str(job)))
        except ValueError:
            canonical = ""
        if canonical == job:
            return canonical
        why = f"the job's id is {job!r}, which is not a UUID in lower case"
        why += f": send it as {canonical!r}" if canonical else ""
    _answer(task, job, why)
    raise task.refuse(why)


def accept_plain(task: CheckedTask, job: str, args: tuple[Any, ...], given: dict[str, Any]) -> OcrError | None:
    """Make the job of a plain message, which brings `source` and `options`. Changes nothing for a job that exists.

    Returns what is wrong with the message, if its job has to fail for it: the sender reads it under the job's id.
    Raises Ignore if no job is made; the sender gets an answer then too, unless the id is another sender's job.
    """
    if not args and not given:
        return None
    try:
        return _accept(task, job, args, given)
    except NewerRecord as e:
        raise task.refuse(e.message) from None
    except (InvalidOptions, QueueFull) as e:
        raise _turned_away(task, job, e) from None


def refuse_unknown(task: CheckedTask, job: str) -> None:
    """Raise Ignore if the job does not exist. The message had no arguments: the client makes the job first."""
    if not ledger().redis.exists(names.job_key(job)):
        if spool().exists(job, JOB):  # a message of a Redis that was primary before
            raise task.refuse("Redis has lost this job; the reconciler will take it up again from the spool")
        raise _turned_away(task, job, InvalidOptions(f"the message names no source, and there is no job {job}"))


def _turned_away(task: CheckedTask, job: str, why: OcrError) -> Ignore:
    """Give the sender of a message for which no job is made an answer; raise what this returns."""
    turn_away(job, why)
    return task.refuse(f"{why.code}: {why.message}")


def _accept(task: CheckedTask, job: str, args: tuple[Any, ...], given: dict[str, Any]) -> OcrError | None:
    wrong: OcrError
    try:
        if args or given.keys() - {"source", "options", "webhook"}:
            wrong_names = f"{[*args, *given]!r}"[:200]
            raise InvalidOptions(f"arguments that are not source, options, webhook and version: {wrong_names}")
        source, options, webhook = (given.get(name) for name in ("source", "options", "webhook"))
        limit = config.SHARED.max_queued_pages
        is_new = accept(job, source, options, webhook, ledger(), limit, config.WEBHOOKS.check)
    except DocumentError as e:
        wrong = e
    except (OcrError, RedisError):
        raise
    except Exception as e:
        log.exception("job=%s: internal error while its message was accepted", job)
        wrong = OcrError(f"{type(e).__name__}: {e}; see the worker log")
    else:
        if is_new and forget_result(job):
            ledger().cancel(job)  # its task was revoked before the message arrived: no page is read
        return None
    if not ledger().create(job, Source("malformed message"), Options()).reply["created"]:
        raise task.refuse(f"{wrong.code}: {wrong.message}")  # the job with this id is another sender's
    return wrong
