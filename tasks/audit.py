"""`ocr.audit`: every night, sent by beat: what is old is removed."""

import worker_config as config
from ocrqueue import names
from ocrqueue.housekeeping import remove_old_jobs
from tasks.app import app
from tasks.context import ledger, spool


@app.task(name=names.AUDIT)
def audit() -> dict[str, int]:
    """Remove jobs that ended `OCR_KEEP_JOBS_DAYS` ago, results and sources included; returns how many."""
    return {"jobs_removed": remove_old_jobs(ledger(), spool(), config.OCR_KEEP_JOBS_DAYS * 86_400)}
