"""`ocr.assemble`: makes the result of a job whose pages are all finished, and ends it."""

import logging
from typing import Any

from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import names
from ocrqueue.errors import OcrError, PageError
from ocrqueue.ledger import Job, NewerRecord, Step
from ocrqueue.process.watchdog import time_limit
from ocrqueue.steps.assemble import assemble as assemble_job
from tasks.document import parse_job
from worker.app import app
from worker.claims import ClaimTask
from worker.context import ledger, spool
from worker.telling import dispatch

log = logging.getLogger(__name__)


@app.task(bind=True, base=ClaimTask, name=names.ASSEMBLE)
def assemble(self: ClaimTask, *args: Any, version: Any = names.VERSION, **more: Any) -> None:
    """Write the result of a round, and end the job. An old round changes nothing."""
    if len(args) != 2 or more or type(args[1]) is not int:
        raise self.refuse(f"arguments that are not (job, round): {[*args, *more]!r}")
    job = parse_job(self, args[0], version)
    try:
        with self.claiming(lambda alone: ledger().begin(job, "assemble", self.token, args[1], alone)) as record:
            step = _assemble(record, self.token) if record else None
    except NewerRecord as e:
        raise self.refuse(e.message) from None
    if step:
        dispatch(step.messages)


def _assemble(record: Job, token: str) -> Step:
    job = record.id
    try:
        with time_limit(config.LIMITS.page_seconds + config.LIMITS.load_seconds):
            return assemble_job(record, token, ledger(), spool())
    except OcrError as e:
        log.warning("job=%s could not be assembled: %s", job, e.message)
        return ledger().lose(job, token, "lost", PageError(e.code, e.message))
    except RedisError:
        raise  # the assembly is not to blame: its claim is free once the lease has run out
    except (Exception, MemoryError) as e:
        log.exception("job=%s: internal error while it was assembled", job)
        error = PageError("internal_error", f"{type(e).__name__}: {e}; see the worker log")
        return ledger().lose(job, token, "lost", error)
