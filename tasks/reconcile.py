"""`ocr.reconcile`: sent by beat every OCR_RECONCILE_SECONDS."""

import worker_config as config
from ocrqueue import names
from ocrqueue.steps.reconciler import Reconciler
from worker.app import app
from worker.context import ledger, spool
from worker.dispatch import dispatch


@app.task(name=names.RECONCILE, send_events=False)  # it would fill Flower's list
def reconcile() -> dict[str, int]:
    """Find lost claims and messages; returns how many messages were sent again."""
    reconciler = Reconciler(ledger(), spool(), config.OCR_RECONCILE_SECONDS, config.OCR_NO_WORKER_MINUTES * 60)
    messages = reconciler.run()
    dispatch(messages)
    return {"messages": len(messages)}
