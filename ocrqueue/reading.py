"""Reading the pages of a claim: render, read, store. What goes wrong with one page is that page's result."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt, wait_exponential

from ocrqueue.cancelling import cancellable
from ocrqueue.documents import PageImage, open_document
from ocrqueue.engines.holder import Loaded
from ocrqueue.errors import DocumentError, OcrError, PageError, PageFailure, StorageError
from ocrqueue.ledger import Claim, ClaimedPage
from ocrqueue.limits import Limits
from ocrqueue.memory import memory_now
from ocrqueue.pages import PageText
from ocrqueue.results import PageFacts, page_result
from ocrqueue.spool import Spool
from ocrqueue.watchdog import time_limit

log = logging.getLogger(__name__)
T = TypeVar("T")
_three_tries = Retrying(
    retry=retry_if_exception_type(StorageError),
    stop=stop_after_attempt(3),
    wait=wait_exponential(0.5, exp_base=4),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)
Results = dict[int, PageError | None]  # by page number; None: read and stored


@dataclass(frozen=True, slots=True)
class Reading:
    """What the engine made of the pages of a claim."""

    text: PageText
    seconds: float  # inside read(), its page's share
    memory: dict[str, int | None]


def read_claim(
    claim: Claim, loaded: Loaded, spool: Spool, limits: Limits, is_cancelled: Callable[[], bool] = lambda: False
) -> Results:
    """Read every page of the claim and store what was read. Ends the process where the pages take too long.

    Raises nothing for what is wrong with a page or its document: that is the page's result. A page that the engine
    stopped since its job `is_cancelled` has none: it goes back unread.
    """
    with time_limit(limits.page_seconds * len(claim.pages)), cancellable(is_cancelled):
        try:
            return _read(claim, loaded, spool, limits)
        except OcrError as e:
            error = PageError(e.code, e.message)
        except MemoryError:
            error = PageError("engine_error", "the page needs more memory than there is; use a lower --dpi")
        except Exception as e:
            log.exception("job=%s pages=%s: internal error", claim.job.id, [p.number for p in claim.pages])
            error = PageError("internal_error", f"{type(e).__name__}: {e}; see the worker log")
    return {page.number: error for page in claim.pages}


def _read(claim: Claim, loaded: Loaded, spool: Spool, limits: Limits) -> Results:
    job = claim.job
    if job.source.file is None:
        raise StorageError("the document is not in the spool")
    results: Results = {}
    images: list[tuple[ClaimedPage, PageImage]] = []
    password = storing(lambda: spool.read_password(job.id))
    with (
        spool.local_source(job.id, job.source.file) as path,
        open_document(path, limits, password, job.total) as document,
    ):
        for page in claim.pages:
            try:
                images.append((page, document.render(page.number, job.options.dpi, loaded.engine.dpi)))
            except (PageFailure, DocumentError) as e:
                results[page.number] = PageError(e.code, e.message)
    for (page, image), reading in zip(images, _recognise(loaded, [i for _, i in images], claim), strict=True):
        if isinstance(reading, Reading):
            results[page.number] = _store(claim, page, image, reading, loaded, spool)
        elif reading.code != "cancelled":
            results[page.number] = reading
    return results


def _recognise(loaded: Loaded, images: Sequence[PageImage], claim: Claim) -> list[Reading | PageError]:
    if not images:
        return []
    started = time.monotonic()
    try:
        found = loaded.engine.read([i.image for i in images], claim.job.options)
    except MemoryError:
        found = [PageError("engine_error", "the engine ran out of memory; use a lower --dpi")] * len(images)
    except (Exception, SystemExit) as e:
        log.warning("job=%s: the engine failed", claim.job.id, exc_info=True)
        found = [PageError("engine_error", f"the engine failed: {type(e).__name__}: {e}")] * len(images)
    seconds = (time.monotonic() - started) / len(images)
    memory = memory_now()
    return [f if isinstance(f, PageError) else Reading(f, seconds, memory) for f in found]


def _store(
    claim: Claim, page: ClaimedPage, image: PageImage, reading: Reading, loaded: Loaded, spool: Spool
) -> PageError | None:
    facts = PageFacts(
        width=image.image.width,
        height=image.image.height,
        dpi=round(image.dpi),
        rotation=image.rotation,
        transform=image.transform,
        origin="ocr",
        engine=loaded.engine.name,
        model=loaded.model.name,
        revision=loaded.model.revision,
        seconds=reading.seconds,
        attempts=page.attempts,
        memory=reading.memory,
        cached=False,
    )
    result = page_result(page.number, reading.text, facts)
    try:
        storing(lambda: spool.write_page(claim.job.id, page.number, result))
    except StorageError as e:
        return PageError(e.code, e.message)
    log.info(
        "job=%s page=%d read lines=%d seconds=%.2f", claim.job.id, page.number, len(reading.text.lines), reading.seconds
    )
    return None


def storing(action: Callable[[], T]) -> T:
    """Do something with the spool; three tries in all. Raises StorageError."""
    return _three_tries(action)
