"""`ocr.document`: opens a document. Its id is the job's id; the end of the job, not of this task, is its result."""

import logging
import uuid
from typing import Any

from celery.exceptions import Ignore

import worker_config as config
from ocrqueue import names, opening
from ocrqueue.errors import DocumentError, OcrError, PageError
from ocrqueue.ledger import Job, NewerRecord, Step
from ocrqueue.watchdog import time_limit
from tasks.app import app
from tasks.context import ledger, spool
from tasks.ending import dispatch
from tasks.requests import ClaimTask

log = logging.getLogger(__name__)


@app.task(bind=True, base=ClaimTask, name=names.DOCUMENT, ignore_result=False)
def document(
    self: ClaimTask, *args: Any, source: Any = None, options: Any = None, version: Any = names.VERSION, **more: Any
) -> None:
    """Open the job's document; a plain message brings `source` and `options`, and makes the job."""
    job = parse_job(self, self.request.id, version)
    if args or more:
        raise self.refuse(f"arguments that are not known: {[*args, *more]!r}")
    if source is not None:
        try:
            opening.accept(job, source, options, ledger())
        except OcrError as e:
            raise self.refuse(f"{e.code}: {e.message}") from None
    try:
        record = ledger().begin(job, "document", self.token)
    except NewerRecord as e:
        raise self.refuse(e.message) from None
    if record:
        dispatch(_open(record, self.token).messages)
    raise Ignore  # the job's end is what is stored under this id


def parse_job(task: ClaimTask, job: object, version: object) -> str:
    """The id of the job a message is about. Raises Ignore, with a line in the log, for what is not ours."""
    try:
        canonical = str(uuid.UUID(str(job)))
    except ValueError:
        canonical = ""
    if canonical != job:
        raise task.refuse(f"the job's id is {job!r}, which is not a UUID in lower case")
    if type(version) is not int or not 1 <= version <= names.VERSION:
        raise task.refuse(f"a message of version {version!r}; this worker reads up to {names.VERSION}: upgrade it")
    return canonical


def _open(record: Job, token: str) -> Step:
    try:
        with time_limit(config.LIMITS.open_seconds):
            return opening.open_job(record, token, ledger(), spool(), config.LIMITS, config.OCR_ALLOWED_SOURCES)
    except OcrError as e:
        log.info("job=%s refused: %s: %s", record.id, e.code, e.message)
        error = PageError(e.code, e.message)
    except MemoryError:
        error = PageError("too_large", "the document needs more memory than there is; send a smaller one")
    except Exception as e:
        log.exception("job=%s: internal error", record.id)
        error = PageError("internal_error", f"{type(e).__name__}: {e}; see the worker log")
    return ledger().refuse(record.id, token, error)


__all__ = ["DocumentError", "document", "parse_job"]
