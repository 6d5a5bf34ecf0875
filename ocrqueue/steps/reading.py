"""Reading the pages of a claim: render, read, store. What goes wrong with one page is that page's result."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt, wait_exponential

from ocrqueue.documents import Document, PageImage, open_document
from ocrqueue.documents.text_layer import TextLayer
from ocrqueue.engines.holder import Loaded
from ocrqueue.errors import DocumentError, OcrError, PageError, PageFailure, StorageError
from ocrqueue.layout import arrange
from ocrqueue.ledger import Claim, ClaimedPage
from ocrqueue.limits import Limits
from ocrqueue.pages import PageText
from ocrqueue.process.cancelling import cancellable
from ocrqueue.process.memory import memory_now
from ocrqueue.process.watchdog import time_limit
from ocrqueue.steps.page_cache import PageCache, reads_as
from ocrqueue.storage.results import PageFacts, page_result
from ocrqueue.storage.spool import Spool
from ocrqueue.upright import turned_to, upright

log = logging.getLogger(__name__)
T = TypeVar("T")
_three_tries = Retrying(
    retry=retry_if_exception_type(StorageError),
    stop=stop_after_attempt(3),
    wait=wait_exponential(0.5, exp_base=4),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)
Keep = Callable[[int, dict[str, Any]], None]  # what becomes of a page that was read, besides
Results = dict[int, PageError | None]  # by page number; None: read and stored


@dataclass(frozen=True, slots=True)
class Reading:
    """What the engine made of a page, or what the page says by itself."""

    text: PageText
    seconds: float  # inside read(), its page's share; or taking the text layer
    memory: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page that the engine is to read."""

    page: ClaimedPage
    image: PageImage  # upright
    layer: TextLayer | None  # text that is painted over on the image, since it needs no reading

    def whole(self, reading: Reading) -> Reading:
        """What was read, with what needed no reading, in reading order."""
        text, seconds = reading.text, reading.seconds
        if self.layer:
            text, seconds = self.layer.joined(text, self.image), seconds + self.layer.seconds
        return replace(reading, text=arrange(text, self.image.image), seconds=seconds)


def read_claim(
    claim: Claim,
    loaded: Loaded,
    spool: Spool,
    cache: PageCache,
    limits: Limits,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Results:
    """Read every page of the claim, unless the cache has it, and store what was read.

    Ends the process where the pages take too long. Raises nothing for what is wrong with a page or its document: that
    is the page's result. A page that the engine stopped since its job `is_cancelled` has none: it goes back unread.
    """
    with time_limit(limits.page_seconds * len(claim.pages)), cancellable(is_cancelled):
        try:
            return _take_or_read(claim, loaded, spool, cache, limits)
        except OcrError as e:
            error = PageError(e.code, e.message)
        except FileNotFoundError:
            error = PageError("storage_error", "the document is no longer in the spool: submit it again")
        except MemoryError:
            error = PageError("engine_error", "the page needs more memory than there is; use a lower --dpi")
        except Exception as e:
            log.exception("job=%s pages=%s: internal error", claim.job.id, [p.number for p in claim.pages])
            error = PageError("internal_error", f"{type(e).__name__}: {e}; see the worker log")
    return {page.number: error for page in claim.pages}


def _take_or_read(claim: Claim, loaded: Loaded, spool: Spool, cache: PageCache, limits: Limits) -> Results:
    """Pages that the cache has are taken from there, the rest is read and kept there."""
    key = cache.key(claim.job, reads_as(loaded.engine, loaded.model, limits), spool)
    if key is None:
        return _Reader(claim, loaded, spool, limits).read()
    taken = [] if claim.job.options.fresh else cache.supply(key, claim.job, claim.pages, spool)
    results: Results = dict.fromkeys(taken)
    if rest := tuple(page for page in claim.pages if page.number not in results):
        results |= _Reader(replace(claim, pages=rest), loaded, spool, limits, partial(cache.keep, key)).read()
    return results


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the pages of one claim: text layer or upright image, engine, reading order; and stores them."""

    claim: Claim
    loaded: Loaded
    spool: Spool
    limits: Limits
    keep: Keep = lambda *_: None

    def read(self) -> Results:
        """What became of each page. Raises OcrError where the document cannot be opened."""
        job = self.claim.job
        results: Results = {}
        prepared: list[Prepared] = []
        if job.source.file is None:
            raise StorageError("the document is not in the spool")
        password = storing(lambda: self.spool.read_password(job.id))
        with (
            self.spool.local_source(job.id, job.source.file) as path,
            open_document(path, self.limits, password, job.total) as document,
        ):
            for page in self.claim.pages:
                try:
                    layer = self._layer(document, page)
                    if layer and layer.is_whole:
                        results[page.number] = self._store(
                            page, layer, Reading(arrange(layer.text), layer.seconds, memory_now())
                        )
                    else:
                        prepared.append(Prepared(page, self._image(document, page, layer), layer))
                except (PageFailure, DocumentError) as e:
                    results[page.number] = PageError(e.code, e.message)
        for one, reading in zip(prepared, self._recognise([p.image for p in prepared]), strict=True):
            if isinstance(reading, Reading):
                results[one.page.number] = self._store(one.page, one.image, one.whole(reading))
            elif reading.code != "cancelled":
                results[one.page.number] = reading
        return results

    def _layer(self, document: Document, page: ClaimedPage) -> TextLayer | None:
        options = self.claim.job.options
        if options.text_layer == "ignore":
            return None
        layer = document.text_layer(page.number, options.dpi, self.loaded.engine.dpi)
        return layer and layer.upright()

    def _image(self, document: Document, page: ClaimedPage, layer: TextLayer | None) -> PageImage:
        image = document.render(page.number, self.claim.job.options.dpi, self.loaded.engine.dpi)
        if layer:  # its text says how the page lies
            image = turned_to(image, layer.rotation, self.limits.max_pixels)
            layer.hide(image)
            return image
        return upright(image, self.limits.max_pixels, f"job={self.claim.job.id} page={page.number}")

    def _recognise(self, images: Sequence[PageImage]) -> list[Reading | PageError]:
        if not images:
            return []
        started = time.monotonic()
        try:
            found = self.loaded.engine.read([i.image for i in images], self.claim.job.options)
        except MemoryError:
            found = [PageError("engine_error", "the engine ran out of memory; use a lower --dpi")] * len(images)
        except (Exception, SystemExit) as e:
            log.warning("job=%s: the engine failed", self.claim.job.id, exc_info=True)
            found = [PageError("engine_error", f"the engine failed: {type(e).__name__}: {e}")] * len(images)
        seconds = (time.monotonic() - started) / len(images)
        memory = memory_now()
        return [f if isinstance(f, PageError) else Reading(f, seconds, memory) for f in found]

    def _store(self, page: ClaimedPage, image: PageImage | TextLayer, reading: Reading) -> PageError | None:
        job, loaded = self.claim.job, self.loaded
        facts = replace(
            PageFacts.of(image),
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
            storing(lambda: self.spool.write_page(job.id, page.number, result))
        except StorageError as e:
            return PageError(e.code, e.message)
        self.keep(page.number, result)
        log.info(
            "job=%s page=%d read lines=%d seconds=%.2f", job.id, page.number, len(result["lines"]), reading.seconds
        )
        return None


def storing(action: Callable[[], T]) -> T:
    """Do something with the spool; three tries in all. Raises StorageError."""
    return _three_tries(action)
