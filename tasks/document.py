"""`ocr.document`: opens a document. Its id is the job's id; the end of the job, not of this task, is its result."""

import logging
import uuid
from typing import Any

from celery.exceptions import Ignore
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import names
from ocrqueue.engines import ENGINES
from ocrqueue.errors import InvalidOptions, OcrError, PageError, QueueFull
from ocrqueue.ledger import Job, NewerRecord, Source, Step
from ocrqueue.options import Options
from ocrqueue.process.watchdog import time_limit
from ocrqueue.steps.accept import accept
from ocrqueue.steps.open import open_job
from worker.app import app
from worker.claims import ClaimTask
from worker.context import ledger, page_cache, spool
from worker.telling import dispatch, forget_result, turn_away

log = logging.getLogger(__name__)


@app.task(bind=True, base=ClaimTask, name=names.DOCUMENT, ignore_result=False)
def document(self: ClaimTask, *args: Any, version: Any = names.VERSION, **given: Any) -> None:
    """Open the job's document; a plain message brings `source` and `options`, and makes the job."""
    job = parse_job(self, self.request.id, version)
    try:
        _begin(self, job, args, given)
    except Ignore:
        raise
    except Exception:
        log.exception("job=%s: internal error; its document is opened again", job)
    raise Ignore  # what is stored under this id is the job's end, and nothing else


def _begin(task: ClaimTask, job: str, args: tuple[Any, ...], given: dict[str, Any]) -> None:
    wrong = _accept(task, job, args, given) if args or given else None
    try:
        with task.claiming(lambda alone: ledger().begin(job, "document", task.token, alone=alone)) as record:
            step = _open(record, task.token, wrong) if record else None
    except NewerRecord as e:
        raise task.refuse(e.message) from None
    if step:
        dispatch(step.messages)


def _accept(task: ClaimTask, job: str, args: tuple[Any, ...], given: dict[str, Any]) -> OcrError | None:
    """Make the job of a plain message, of a malformed one too, so that its sender hears under its id what was wrong."""
    try:
        if args or given.keys() - {"source", "options"}:
            raise InvalidOptions(f"arguments that are not source, options and version: {[*args, *given]!r}"[:300])
        limit = config.SHARED.max_queued_pages
        if accept(job, given.get("source"), given.get("options"), ledger(), limit) and forget_result(job):
            ledger().cancel(job)  # opened all the same, and nothing of it is read
    except InvalidOptions as e:
        if not ledger().create(job, Source("malformed message"), Options()).reply["created"]:
            raise task.refuse(f"{e.code}: {e.message}") from None  # the job that is there is another's
        return e
    except OcrError as e:
        if isinstance(e, QueueFull):
            turn_away(job, e)
        raise task.refuse(f"{e.code}: {e.message}") from None
    return None


def parse_job(task: ClaimTask, job: object, version: object) -> str:
    """The id of the job a message is about. Raises Ignore, with a line in the log, for what is not ours.

    Who sent a document under a UUID that is written in another way hears so under the id as it was sent.
    """
    if type(version) is not int or not 1 <= version <= names.VERSION:
        raise task.refuse(f"a message of version {version!r}; this worker reads up to {names.VERSION}: upgrade it")
    try:
        canonical = str(uuid.UUID(str(job)))
    except ValueError:
        canonical = ""
    if canonical != job:
        if canonical and task.name == names.DOCUMENT:
            why = f"the job's id {job!r} is no UUID in lower case: send it as {canonical!r}"
            turn_away(str(job), InvalidOptions(why))
        raise task.refuse(f"the job's id is {job!r}, which is not a UUID in lower case")
    return canonical


def _open(record: Job, token: str, wrong: OcrError | None) -> Step:
    try:
        if wrong:
            raise wrong
        with time_limit(config.LIMITS.open_seconds):
            return open_job(
                record,
                token,
                ledger(),
                spool(),
                page_cache(),
                config.LIMITS,
                allowed=config.OCR_ALLOWED_SOURCES,
                engines=ENGINES | config.SERVED,
            )
    except OcrError as e:
        log.info("job=%s refused: %s: %s", record.id, e.code, e.message)
        error = PageError(e.code, e.message)
    except RedisError:
        raise  # the document is not to blame: its claim is free once the lease has run out
    except MemoryError:
        error = PageError("too_large", "the document needs more memory than there is; send a smaller one")
    except Exception as e:
        log.exception("job=%s: internal error", record.id)
        error = PageError("internal_error", f"{type(e).__name__}: {e}; see the worker log")
    return ledger().refuse(record.id, token, error)
