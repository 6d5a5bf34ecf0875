"""`ocr.trim`: sent by beat every few minutes. It keeps the page cache within OCR_CACHE_MAX_GB."""

from ocrqueue import names
from ocrqueue.errors import OcrError
from worker.app import app
from worker.context import page_cache


@app.task(name=names.TRIM, send_events=False, throws=(OcrError,))  # events would fill Flower's list
def trim() -> dict[str, int]:
    """Remove the documents from the page cache that were unused for longest, if it is too large; returns how many."""
    return {"documents": page_cache().trim()}
