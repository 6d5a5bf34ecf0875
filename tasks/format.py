"""`ocr.format`: makes one format of a job's result. It fails by itself, and never the job.

Its task id follows from job, round and format (`names.format_id`), and Celery keeps under it what became of it: the
file's name, or why there is none, also where the child that made it is gone.
"""

import logging
from typing import Any

import worker_config as config
from ocrqueue import names
from ocrqueue.errors import OcrError, OcrFailed, StorageError, UnknownJob
from ocrqueue.formats import FORMATS
from ocrqueue.process.watchdog import time_limit
from ocrqueue.steps.format import make_format
from tasks.document import parse_job
from worker.app import app
from worker.claims import ClaimRequest, ClaimTask
from worker.context import ledger, spool

log = logging.getLogger(__name__)


class FormatRequest(ClaimRequest):
    """A delivery whose end is stored under its own id, even if its child is gone: somebody may be waiting for it."""

    store_errors = True


class FormatTask(ClaimTask):
    """The task whose deliveries those are."""

    abstract = True
    Request = FormatRequest


@app.task(bind=True, base=FormatTask, name=names.FORMAT, ignore_result=False, throws=(OcrFailed,))
def format(self: FormatTask, *args: Any, version: Any = names.VERSION, **more: Any) -> str:
    """Make a format; returns its file's name in the job's folder. Raises OcrFailed, with a code and a message."""
    if len(args) != 2 or more or not isinstance(args[1], str) or args[1] not in FORMATS:
        raise self.refuse(f"arguments that are not (job, format): {[*args, *more]!r}")
    job, wanted = parse_job(self, args[0], version), args[1]
    try:
        record = ledger().job(job)
    except UnknownJob as e:  # nobody waits for it
        raise self.refuse(f"job={job}: the format {wanted} could not be made: {e.message}") from None
    try:
        with time_limit(config.LIMITS.page_seconds + config.LIMITS.load_seconds):
            return make_format(record, wanted, spool(), config.LIMITS)
    except OcrError as e:
        why = f"{e.code}: {e.message}"
    except (Exception, MemoryError) as e:
        log.exception("job=%s: internal error while %s was made", job, wanted)
        why = f"internal_error: {type(e).__name__}: {e}; see the worker log"
    finally:
        if record.state == "done" and FORMATS[wanted].make:
            _drop_password(job)
    log.warning("job=%s: the format %s could not be made: %s", job, wanted, why)
    raise OcrFailed(why)


def _drop_password(job: str) -> None:
    """A password that was kept for this format alone goes: the job is done and needs it no more."""
    try:
        spool().drop_password(job)
    except StorageError as e:
        log.warning("job=%s: its password could not be removed: %s", job, e.message)
