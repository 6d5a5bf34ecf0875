"""`ocr.format`: makes one format of a job's result. It fails by itself, and never the job."""

import logging
from typing import Any

from ocrqueue import names
from ocrqueue.assembling import make_format
from ocrqueue.errors import OcrError
from ocrqueue.formats import FORMATS
from tasks.app import app
from tasks.context import ledger, spool
from tasks.document import parse_job
from tasks.requests import ClaimTask

log = logging.getLogger(__name__)


@app.task(bind=True, base=ClaimTask, name=names.FORMAT)
def format(self: ClaimTask, *args: Any, version: Any = names.VERSION, **more: Any) -> str | None:
    """Make a format; returns its file's name in the job's folder."""
    if len(args) != 2 or more or not isinstance(args[1], str) or args[1] not in FORMATS:
        raise self.refuse(f"arguments that are not (job, format): {[*args, *more]!r}")
    job = parse_job(self, args[0], version)
    try:
        return make_format(ledger().job(job), args[1], spool())
    except (OcrError, OSError) as e:
        log.warning("job=%s: the format %s could not be made: %s", job, args[1], e)
        return None
