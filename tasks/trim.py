"""`ocr.trim`: sent by beat every few minutes. It keeps the page cache within OCR_CACHE_MAX_GB."""

import logging

from ocrqueue import names
from ocrqueue.errors import StorageError
from worker.app import app
from worker.context import page_cache

log = logging.getLogger(__name__)


@app.task(name=names.TRIM, send_events=False)  # it would fill Flower's list
def trim() -> dict[str, int]:
    """Remove the documents from the page cache that were unused for longest, if it is too large; returns how many."""
    try:
        return {"documents": page_cache().trim()}
    except StorageError as e:
        log.warning("the page cache could not be looked at: %s; trying again later", e.message)
        return {"documents": 0}
