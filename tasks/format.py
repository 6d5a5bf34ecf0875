"""`ocr.format`: makes one format of a job's result. If it fails, the job stays as it is.

The task's id follows from job, round and format (`names.format_id`). Celery stores the outcome under it: the file's
name, or why there is none, also if the child process is gone.
"""

from typing import Any

from ocrqueue import names
from ocrqueue.errors import OcrFailed, UnknownJob
from ocrqueue.formats import FORMATS
from worker.app import app
from worker.claims import ClaimRequest, ClaimTask
from worker.context import ledger
from worker.messages import parse_job
from worker.steps import write_format


class FormatRequest(ClaimRequest):
    """A message whose failure is stored under its own id, even if its child is gone: somebody may wait for it."""

    store_errors = True


class FormatTask(ClaimTask):
    """The task of those messages."""

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
    return write_format(record, wanted)
