"""`ocr.audit`: every night, sent by beat. What is old is removed, and every model directory is looked at where it is.

Without an argument it does what is there once for all machines, and sends itself to each model directory.
"""

import time
from typing import Any

import worker_config as config
from ocrqueue import names
from ocrqueue.errors import OcrError
from ocrqueue.ledger.workers import live
from ocrqueue.models.needed import open_models
from ocrqueue.models.nightly import run_night
from ocrqueue.steps.housekeeping import once_a_night, remove_old_jobs, remove_old_reports, remove_unknown_folders
from worker.app import app
from worker.context import ledger, models, page_cache, redis, spool

DAY = 86_400
KEEP = config.OCR_KEEP_JOBS_DAYS * DAY
REPORTS = config.OCR_DATA_DIR / "reports"


@app.task(name=names.AUDIT, ignore_result=False, time_limit=3600, throws=(OcrError,))
def audit(directory: str | None = None) -> dict[str, Any]:
    """The night's work on a model directory, or what all machines have in common; returns what came of it."""
    if directory is None:
        return _everywhere()
    if directory != models().id:
        return {"skipped": f"the model directory here is {models().id}, not {directory}"}
    with once_a_night(redis(), f"models:{directory}") as first:
        if not first:
            return {"skipped": "done already tonight"}
        night = run_night(models(), open_models(redis()), REPORTS)
        remove_old_reports(REPORTS, KEEP, time.time())
        return night.summary()


def _everywhere() -> dict[str, Any]:
    directories = _directories()
    for id in directories:
        app.send_task(names.AUDIT, args=[id], queue=names.models_queue(id), expires=DAY)
    with once_a_night(redis(), "jobs") as first:
        if not first:
            return {"skipped": "done already tonight", "directories": directories}
        return {
            "directories": directories,
            "jobs_removed": remove_old_jobs(ledger(), spool(), KEEP),
            "folders_removed": remove_unknown_folders(ledger(), spool(), KEEP),
            "cached_documents_removed": page_cache().trim(anyway=True),
            "reports_removed": remove_old_reports(REPORTS, KEEP, time.time()),
        }


def _directories() -> list[str]:
    """The model directories that a worker was seen with in the last month; one that is down finds its message later."""
    now, prefix = time.time(), names.models_queue("")
    for worker in live(redis()):
        for queue in worker.queues:
            if queue.startswith(prefix):
                redis().zadd(names.MODEL_DIRECTORIES, {queue.removeprefix(prefix): now})
    redis().zremrangebyscore(names.MODEL_DIRECTORIES, "-inf", now - 30 * DAY)
    return [str(id) for id in redis().zrange(names.MODEL_DIRECTORIES, 0, -1)]
