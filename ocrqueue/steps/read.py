"""Reads the pages of a claim and stores them. An error in one page fails that page only.

If the job wants structure, the text of each page is stored first. So it is not lost, and not read again, if a process
ends while it looks for the blocks.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ocrqueue.documents import Document, PageImage, open_document
from ocrqueue.documents.text_layer import TextLayer
from ocrqueue.engines.holder import Loaded
from ocrqueue.engines.result_check import checked
from ocrqueue.errors import OcrError, PageError, StorageAway, StorageError
from ocrqueue.layout import arrange
from ocrqueue.ledger import Claim, ClaimedPage, Measured
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.cancellation import cancellable
from ocrqueue.process.memory import memory_now
from ocrqueue.process.watchdog import time_limit
from ocrqueue.quality import likely_language, quality_of, warned
from ocrqueue.quality.reread import better, kept, may_be_cached, measured
from ocrqueue.states import WarningCode
from ocrqueue.steps.page_cache import PageCache
from ocrqueue.steps.page_cache_key import reads_as
from ocrqueue.steps.structure import StoredPage, structured
from ocrqueue.storage.results import PageFacts, page_result, with_blocks
from ocrqueue.storage.retry import PATIENCE, three_tries
from ocrqueue.storage.spool import Spool
from ocrqueue.upright import turned_to, upright

log = logging.getLogger(__name__)
Results = dict[int, Measured | PageError]  # by page number
_LONG = 1.0  # seconds after which a claim of more pages than the engine reads at once begins no further page


class Read(NamedTuple):
    """What became of the pages of a claim. A page without a result was not begun, and is open again."""

    results: Results
    needed_engine: bool  # whether the engine was given a page


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a page, from the engine or from the page's text layer."""

    text: PageText
    seconds: float  # time of the engine, divided by the pages of the batch; or time to read the text layer
    memory: dict[str, int | None]  # in use when the text was ready, in bytes; see `memory_now`
    quality: float | None = None  # of what the engine read, see `ocrqueue.quality`; None: not known


def _of_layer(layer: TextLayer) -> Reading:
    """The text of a layer that is whole."""
    return Reading(arrange(layer.text), layer.seconds, memory_now(), layer.quality)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page whose image goes to the engine."""

    page: ClaimedPage
    image: PageImage  # upright
    layer: TextLayer | None  # lines that the engine does not read: they are painted over in the image

    def whole(self, reading: Reading) -> Reading:
        """The engine's text and the text layer's lines together, in reading order."""
        text, seconds, quality = reading.text, reading.seconds, reading.quality
        if self.layer:
            text, seconds = self.layer.joined(text, self.image), seconds + self.layer.seconds
            quality = min((known for known in (quality, self.layer.quality) if known is not None), default=None)
        return replace(reading, text=arrange(text, self.image.image), seconds=seconds, quality=quality)


def read_claim(
    claim: Claim,
    loaded: Loaded,
    spool: Spool,
    cache: PageCache,
    limits: Limits,
    is_cancelled: Callable[[], bool] = lambda: False,
    read_again_as: Callable[[], str | None] = lambda: "",
) -> Read:
    """Read and store every page of the claim that is not in the page cache.

    The results have a PageError for each page that failed. A page has none if the engine stopped because the job
    `is_cancelled`. A claim of more pages than the engine reads at once is meant for pages that need no engine: it ends
    with the page that fills the engine's batch, or after a second, and the pages after it have no result.
    `read_again_as` says how poorly read pages of the job are read again, see `engine_choice.read_again_as`. Raises
    nothing for a bad page or document, and StorageAway if the storage is away for longer than `PATIENCE`. Ends the
    process if the pages take longer than `limits.page_seconds` for each that the engine reads at once, without the time
    that they wait for the storage.
    """
    most = min(len(claim.pages), loaded.engine.batch)
    with time_limit(limits.page_seconds * most, PATIENCE), cancellable(is_cancelled):
        return _Reader(claim, loaded, spool, cache, limits, read_again_as).read()


def facts_of(page: PageImage | TextLayer) -> PageFacts:
    """Size, resolution and position of a page, before its text is known."""
    return PageFacts(page.width, page.height, round(page.dpi), page.rotation, page.transform)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the pages of one claim."""

    claim: Claim
    loaded: Loaded
    spool: Spool
    cache: PageCache
    limits: Limits
    read_again_as: Callable[[], str | None]
    results: Results = field(default_factory=dict)
    painted: set[int] = field(default_factory=set)  # numbers of pages whose image lacks the lines of the text layer
    unstructured: dict[int, StoredPage] = field(default_factory=dict)  # by number: pages whose blocks are to be found
    started: float = field(default_factory=time.monotonic)

    def read(self) -> Read:
        """The result of each page. If the document cannot be opened, all pages without a result fail."""
        needed_engine = False
        try:
            needed_engine = self._take_or_read()
        except StorageAway:
            raise
        except FileNotFoundError:
            self._fail_rest(PageError("storage_error", "the document is no longer in the spool: submit it again"))
        except Exception as e:  # noqa: BLE001 -- the error becomes the pages' result, and is logged
            self._fail_rest(self._error(e, self.claim.pages))
        if self.claim.job.first:
            self._note_errors()
        return Read(self.results, needed_engine)

    def _take_or_read(self) -> bool:
        """Take pages from the page cache, read the rest, and find the blocks of all that lack them.

        Returns whether the engine was given a page.
        """
        claim, first, key = self.claim, self.claim.job.first, self._key()
        if key is not None and not first and not claim.job.options.fresh:
            self.results.update(self.cache.supply(key, claim.job, claim.pages, self.spool, self.read_again_as))
        rest = [page for page in claim.pages if page.number not in self.results]
        if claim.job.options.wants_structure and not first:
            rest = [page for page in rest if not self._has_text(page)]
        prepared = self._prepare(rest, key) if rest else []
        self._recognise(prepared, key)
        if self.unstructured:
            self._find_blocks(key)
        return bool(prepared)

    def _key(self) -> str | None:
        """The key of the job's pages in the page cache, which is that of the first engine."""
        first = self.claim.job.first
        way = first["reads_as"] if first else reads_as(self.loaded.engine, self.loaded.model, self.limits)
        return self.cache.key(self.claim.job, way, self.spool)

    def _has_text(self, page: ClaimedPage) -> bool:
        """Whether the page's text is stored, by an earlier claim or from the page cache; then it is not read again."""
        stored = three_tries(lambda: self.spool.stored_page(self.claim.job.id, page.number))
        if stored is None:
            return False
        if stored.get("blocks") is None:
            self.unstructured[page.number] = StoredPage.of(stored, page.attempts)
        else:
            self.results[page.number] = measured(stored)
        return True

    def _find_blocks(self, key: str | None) -> None:
        """Store the blocks of the pages whose text is stored. Raises StorageError."""
        job = self.claim.job
        for page in structured(job, list(self.unstructured.values()), self.spool, self.limits):
            number = page["page"]
            with self._keeping(key, page):
                self._write(page)
            self.results[number] = measured(page)
            log.info("job=%s page=%d blocks=%d", job.id, number, len(page["blocks"]))

    def _write(self, page: dict[str, Any]) -> None:
        """Store a page in the job's folder. Raises StorageError."""
        three_tries(lambda: self.spool.write_page(self.claim.job.id, page["page"], page))

    def _keeping(self, key: str | None, page: dict[str, Any]) -> AbstractContextManager[None]:
        """Add a page that the block stores to the page cache, too; blocks by rules are left out.

        Does nothing if its text may not be complete.
        """
        warnings = [warning for warning in page["warnings"] if warning["code"] != WarningCode.STRUCTURE_BY_RULES]
        if key is None or not may_be_cached({**page, "warnings": warnings}):
            return nullcontext()
        if warnings != page["warnings"]:
            page = {**page, "blocks": None, "warnings": warnings}
        again = self._was_read_again_as() if page.get("readings") else ""
        if page.get("readings") and not again:
            return nullcontext()
        return self.cache.keeping(key, page["page"], page, again)

    def _was_read_again_as(self) -> str:
        """The `reads_as` of the second reading of a page: this one, or one from the page cache that it supplied."""
        if self.claim.job.first:
            return reads_as(self.loaded.engine, self.loaded.model, self.limits)
        return self.read_again_as() or ""

    def _prepare(self, pages: Sequence[ClaimedPage], key: str | None) -> list[Prepared]:
        """Store the pages whose text layer is complete. Returns the others, with their images, as many as are read now.

        Raises OcrError or FileNotFoundError if the document cannot be opened.
        """
        job = self.claim.job
        if job.source.file is None:
            raise StorageError("the document is not in the spool")
        prepared: list[Prepared] = []
        password = three_tries(lambda: self.spool.read_password(job.id))
        with (
            self.spool.local_source(job.id, job.source.file) as path,
            open_document(path, self.limits, password, job.total) as document,
        ):
            for page in pages:
                if self._is_enough(prepared):
                    break
                try:
                    layer = self._layer(document, page)
                    if layer and layer.is_whole:
                        self._store(page, layer, _of_layer(layer), key)
                    else:
                        prepared.append(Prepared(page, self._image(document, page, layer), layer))
                        self.painted.update({page.number} if layer else ())
                except StorageAway:
                    raise
                except Exception as e:  # noqa: BLE001 -- the error becomes the page's result, and is logged
                    self.results[page.number] = self._error(e, [page])
        return prepared

    def _is_enough(self, prepared: Sequence[Prepared]) -> bool:
        """Whether no further page of the claim is begun: the engine has its pages, or quick ones took long."""
        batch = self.loaded.engine.batch
        is_late = len(self.claim.pages) > batch and time.monotonic() > self.started + _LONG
        return is_late or len(prepared) >= batch

    def _recognise(self, prepared: Sequence[Prepared], key: str | None) -> None:
        """Read the images and store what was read."""
        for one, reading in zip(prepared, self._run_engine(prepared), strict=True):
            if isinstance(reading, Reading):
                try:
                    self._store(one.page, one.image, one.whole(reading), key)
                except StorageAway:
                    raise
                except Exception as e:  # noqa: BLE001 -- the error becomes the page's result, and is logged
                    self.results[one.page.number] = self._error(e, [one.page])
            elif reading.code != "cancelled":
                self.results[one.page.number] = reading

    def _layer(self, document: Document, page: ClaimedPage) -> TextLayer | None:
        options = self.claim.job.options
        if options.text_layer == "ignore":
            return None
        layer = document.text_layer(page.number, options.dpi, self.loaded.engine.dpi)
        return layer and layer.upright()

    def _image(self, document: Document, page: ClaimedPage, layer: TextLayer | None) -> PageImage:
        image = document.render(page.number, self.claim.job.options.dpi, self.loaded.engine.dpi)
        if layer:  # the direction of its text is the direction of the page
            image = turned_to(image, layer.rotation, self.limits.max_pixels)
            layer.hide(image)
            return image
        return upright(image, self.limits.max_pixels, f"job={self.claim.job.id} page={page.number}")

    def _run_engine(self, prepared: Sequence[Prepared]) -> list[Reading | PageError]:
        """One reading or error for each page, in order."""
        if not prepared:
            return []
        images = [one.image.image for one in prepared]
        started = time.monotonic()
        try:
            found = self.loaded.engine.read(images, self._options(prepared))
            if len(found) != len(images):
                raise ValueError(f"{len(found)} results for {len(images)} pages")
        except MemoryError:
            found = [PageError("engine_error", "the engine ran out of memory; use a lower --dpi")] * len(images)
        except BaseException as e:  # an engine may raise anything, such as the panic of a library in Rust
            log.warning("job=%s: the engine failed", self.claim.job.id, exc_info=True)
            found = [PageError("engine_error", f"the engine failed: {type(e).__name__}: {e}")] * len(images)
        seconds = (time.monotonic() - started) / len(images)
        memory = memory_now()
        name = self.loaded.engine.name
        results = [checked(one, name) for one in found]
        return [r if isinstance(r, PageError) else Reading(r, seconds, memory, quality_of(r, name)) for r in results]

    def _options(self, prepared: Sequence[Prepared]) -> Options:
        """The options of the job; for pages that are read again, with the language that the first reading tells."""
        job = self.claim.job
        if not job.first or job.options.lang or len(prepared) > 1:
            return job.options
        first = self.spool.stored_page(job.id, prepared[0].page.number)
        return replace(job.options, lang=likely_language(first) if first else None)

    def _note_errors(self) -> None:
        """Note in the stored pages why they were not read again.

        A page on which a model wrote nothing but repetitions is cached: it would do so every time, and that takes long.
        """
        job = self.claim.job
        for number, error in self.results.items():
            if isinstance(error, PageError):
                with suppress(StorageError):
                    if first := self.spool.stored_page(job.id, number):
                        page = kept(first, job, error)
                        with self._keeping(self._key() if error.code == "degenerate_output" else None, page):
                            self.spool.write_page(job.id, number, page)

    def _store(self, page: ClaimedPage, image: PageImage | TextLayer, reading: Reading, key: str | None) -> None:
        """Store a page in the job's folder and in the page cache. Raises StorageError."""
        job, loaded = self.claim.job, self.loaded
        facts = replace(
            facts_of(image),
            engine=loaded.engine.name,
            model=loaded.model.name,
            revision=loaded.model.revision,
            seconds=reading.seconds,
            attempts=page.attempts,
            memory=reading.memory,
            cached=False,
            quality=reading.quality,
        )
        text = warned(reading.text, reading.quality, loaded.engine.name, job.options.lang)
        result = page_result(page.number, replace(text, blocks=None), facts)  # blocks of an engine follow the text
        is_new = True
        if job.first:
            result, is_new = better(three_tries(lambda: self.spool.stored_page(job.id, page.number)), result)
        wants_blocks = job.options.wants_structure and is_new
        if wants_blocks:
            if not job.first:  # the first reading has blocks, and stays until the second has them, too
                self._write(result)
            picture = None if page.number in self.painted or isinstance(image, TextLayer) else image.image
            self.unstructured[page.number] = StoredPage(page.number, result, text, facts, picture)
        else:
            with self._keeping(key, with_blocks(result, text) if is_new and text.blocks is not None else result):
                self._write(result)
            self.results[page.number] = replace(measured(result), seconds=reading.seconds)  # of this engine
        log.info(
            "job=%s page=%d read lines=%d seconds=%.2f", job.id, page.number, len(result["lines"]), reading.seconds
        )

    def _error(self, error: Exception, pages: Sequence[ClaimedPage]) -> PageError:
        """The error as the result of these pages."""
        if isinstance(error, OcrError):
            return PageError(error.code, error.message)
        if isinstance(error, MemoryError):
            return PageError("engine_error", "the page needs more memory than there is; use a lower --dpi")
        numbers = [page.number for page in pages]
        log.error("job=%s pages=%s: internal error", self.claim.job.id, numbers, exc_info=error)
        return PageError("internal_error", f"{type(error).__name__}: {error}; see the worker log")

    def _fail_rest(self, error: PageError) -> None:
        for page in self.claim.pages:
            self.results.setdefault(page.number, error)
