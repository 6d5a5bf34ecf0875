"""`ocr.trim`: every few minutes, sent by beat, so that the page cache stays within its limit."""

from ocrqueue import names
from worker.app import app
from worker.context import page_cache


@app.task(name=names.TRIM)
def trim() -> dict[str, int]:
    """Remove from the page cache what was not used for longest, where it has grown too large; returns how much."""
    return {"documents": page_cache().trim()}
