"""`ocr.audit`: the night's work, sent by beat at OCR_AUDIT_AT.

Without an argument it does what is done once for all machines, and sends itself to each model directory.
"""

from typing import Any

from ocrqueue import names
from ocrqueue.errors import OcrError
from worker.app import app
from worker.night import DAY, audit_models, clean_up, model_directories


@app.task(name=names.AUDIT, ignore_result=False, time_limit=3600, throws=(OcrError,))
def audit(directory: str | None = None) -> dict[str, Any]:
    """Audit one model directory, or do what all machines have in common; returns a summary."""
    if directory is not None:
        return audit_models(directory)
    directories = model_directories()
    for id in directories:
        app.send_task(names.AUDIT, args=[id], queue=names.models_queue(id), expires=DAY)
    return {"directories": directories, **clean_up()}
