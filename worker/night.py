"""The night's work: what is old is removed once for all machines, and each model directory is audited where it is."""

import time
from typing import Any

import worker_config as config
from ocrqueue import names
from ocrqueue.ledger.workers import live
from ocrqueue.models.needed import open_models
from ocrqueue.models.nightly import run_night
from ocrqueue.steps.housekeeping import (
    once_a_night,
    remove_old_jobs,
    remove_old_passwords,
    remove_old_reports,
    remove_unknown_folders,
)
from worker.context import ledger, models, page_cache, redis, spool

DAY = 86_400  # seconds
KEEP = config.OCR_KEEP_JOBS_DAYS * DAY  # seconds for which jobs and reports are kept
REPORTS = config.OCR_DATA_DIR / "reports"


def audit_models(directory: str) -> dict[str, Any]:
    """Audit this machine's model directory, if its id is `directory`; returns a summary. Raises OcrError."""
    if directory != models().id:
        return {"skipped": f"the model directory here is {models().id}, not {directory}"}
    with once_a_night(redis(), f"models:{directory}") as first:
        if not first:
            return {"skipped": "done already tonight"}
        night = run_night(models(), open_models(redis()), REPORTS)
        remove_old_reports(REPORTS, KEEP, time.time())
        return night.summary()


def clean_up() -> dict[str, Any]:
    """Remove what is old of that which all machines share; returns how much."""
    with once_a_night(redis(), "jobs") as first:
        if not first:
            return {"skipped": "done already tonight"}
        return {
            "jobs_removed": remove_old_jobs(ledger(), spool(), KEEP),
            "folders_removed": remove_unknown_folders(ledger(), spool(), KEEP),
            "passwords_removed": remove_old_passwords(spool(), ledger().now() - DAY),
            "cached_documents_removed": page_cache().trim(anyway=True),
            "unfinished_files_removed": spool().sweep(time.time() - DAY),
            "reports_removed": remove_old_reports(REPORTS, KEEP, time.time()),
        }


def model_directories() -> list[str]:
    """The ids of the model directories that a worker had in the last 30 days.

    The machine of one of them may be down now: it gets its message when it is up again.
    """
    now, prefix = time.time(), names.models_queue("")
    for worker in live(redis()):
        for queue in worker.queues:
            if queue.startswith(prefix):
                redis().zadd(names.MODEL_DIRECTORIES, {queue.removeprefix(prefix): now})
    redis().zremrangebyscore(names.MODEL_DIRECTORIES, "-inf", now - 30 * DAY)
    return [str(id) for id in redis().zrange(names.MODEL_DIRECTORIES, 0, -1)]
