"""Finds the structure of pages whose text is stored: in the claim that read them, or in one of a later structuring.

A page keeps its text whatever happens here. If its blocks cannot be found as they should be, they are found by rules
alone, and the page has the warning `structure_by_rules`.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ocrqueue import names
from ocrqueue.documents import Document, open_document
from ocrqueue.errors import DocumentError, OcrError, PageError, StorageAway, StorageError
from ocrqueue.layout import blocks_by_rules
from ocrqueue.ledger import Claim, Job, Ledger, Measured, Step
from ocrqueue.ledger.figures import STRUCTURE
from ocrqueue.ledger.page_records import claimed
from ocrqueue.ledger.waiting import jobs_waiting
from ocrqueue.ledger.workers import Structure, Worker, live
from ocrqueue.limits import Limits
from ocrqueue.pages import PageText, PageWarning
from ocrqueue.process.watchdog import time_limit
from ocrqueue.states import Origin, PageState, WarningCode
from ocrqueue.steps.image import as_read
from ocrqueue.steps.lanes import children_of, wanted_lanes
from ocrqueue.storage.results import PageFacts, facts_of, text_of, with_blocks
from ocrqueue.storage.retry import PATIENCE, three_tries
from ocrqueue.storage.spool import Spool
from ocrqueue.structure import find_blocks

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)
_TRIES = 2  # lost claims of a page whose text is stored, after which only rules are tried
_LONGER_SIDE = 1700  # pixels of a page image that is made to look for blocks: 100 dots per inch of a page of A3
_GONE = "the document is no longer in the spool"
_NOT_KEPT = "the document's password was deleted when its job was done"


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page whose text is stored, and whose blocks are to be found."""

    number: int  # in the document, from 1
    stored: Mapping[str, Any]  # the page as it is stored
    text: PageText
    facts: PageFacts
    image: "Image | None" = None  # upright; None: it is not at hand
    is_suspect: bool = False  # whether looking for its blocks may have ended processes before

    @classmethod
    def of(cls, stored: Mapping[str, Any], attempts: int = 0) -> "StoredPage":
        """The page as it is stored. `attempts` are the claims that were lost while its text was stored."""
        return cls(stored["page"], stored, text_of(stored), facts_of(stored), is_suspect=attempts >= _TRIES)


def structured(job: Job, pages: Sequence[StoredPage], spool: Spool, limits: Limits) -> Iterator[dict[str, Any]]:
    """The pages as they are to be stored, with blocks, in their order. `job` names the document. Raises StorageAway."""
    with ExitStack() as stack:
        document, why = None, ""
        if not all(page.is_suspect or page.text.blocks is not None for page in pages):
            try:
                document = _opened(job, spool, limits, stack)
            except StorageAway:
                raise
            except Exception as e:  # noqa: BLE001 -- the pages say so, and keep their text
                why = _reason(e)
                log.warning("job=%s: blocks are found by rules alone: %s", job.id, why)
        for page in pages:
            yield with_blocks(page.stored, _with_blocks(job, page, document, why))


def _opened(job: Job, spool: Spool, limits: Limits, stack: ExitStack) -> Document:
    of = job.structures or job.id
    password = three_tries(lambda: spool.read_password(of))
    if job.source.file is None:
        raise StorageError(_GONE)
    try:
        path = stack.enter_context(spool.local_source(of, job.source.file))
    except FileNotFoundError as e:
        raise StorageError(_GONE) from e
    try:
        return stack.enter_context(open_document(path, limits, password, job.total))
    except DocumentError as e:
        if e.code == "password_required" and password is None:
            raise DocumentError(_NOT_KEPT, e.code) from e
        raise


def _with_blocks(job: Job, page: StoredPage, document: Document | None, why: str) -> PageText:
    """The page's text with its blocks. Without a document, by rules, because of `why`."""
    if page.text.blocks is not None:
        return page.text
    if page.is_suspect:
        why = "the process that looked for it ended before it was found"
    elif document is not None:
        try:
            image = page.image or _image(document, page)
            found = find_blocks(document, page.number, page.text, page.facts, image)
            # without blocks, nothing can be seen on the page; its text may have no lines
            return replace(page.text, blocks=found or blocks_by_rules(page.text, page.facts.dpi))
        except (Exception, SystemExit) as e:
            why = _reason(e)
            unforeseen = not isinstance(e, OcrError)
            log.warning("job=%s page=%d: no structure was found: %s", job.id, page.number, why, exc_info=unforeseen)
    return by_rules(page.text, page.facts.dpi, why)


def _image(document: Document, page: StoredPage) -> "Image | None":
    """The page as it was read, in a low resolution; None if all its text comes from the file. Raises PageFailure."""
    width, height = page.facts.width, page.facts.height
    if not (width and height) or all(line.origin == Origin.TEXT_LAYER for line in page.text.lines):
        return None
    return as_read(document, page.number, page.stored, math.ceil(width * min(1.0, _LONGER_SIDE / max(width, height))))


def by_rules(text: PageText, dpi: int | None, why: str) -> PageText:
    """A page's text with blocks by rules, and a warning that says why. `dpi` is the resolution of the page image."""
    warning = PageWarning(WarningCode.STRUCTURE_BY_RULES, f"the structure was found by rules alone: {why}")
    return replace(text, blocks=blocks_by_rules(text, dpi), warnings=(*text.warnings, warning))


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, OcrError) else f"{type(error).__name__}: {error}; see the worker log"


def structure_claim(
    claim: Claim, spool: Spool, limits: Limits, is_cancelled: Callable[[], bool] = lambda: False
) -> dict[int, Measured | PageError]:
    """Find and store the blocks of the claimed pages of a structuring; pages that have blocks stay as they are.

    The results are those of `read_claim`, and so is what it raises. Ends the process if the pages take
    longer than `limits.page_seconds` each.
    """
    job, results = claim.job, dict[int, Measured | PageError]()
    of = job.structures or job.id
    with time_limit(limits.page_seconds * len(claim.pages), PATIENCE):
        try:
            pages = list(_to_do(claim, of, spool, results))
            started = time.monotonic()
            for page in structured(job, pages, spool, limits):
                if is_cancelled():
                    break
                three_tries(lambda page=page: spool.write_page(of, page["page"], page))  # type: ignore[misc]
                seconds, started = time.monotonic() - started, time.monotonic()
                results[page["page"]] = Measured(seconds, None)
                log.info("job=%s page=%d blocks=%d seconds=%.2f", of, page["page"], len(page["blocks"]), seconds)
        except StorageAway:
            raise
        except Exception as e:
            log.warning("job=%s: the structure of its pages was not stored", of, exc_info=not isinstance(e, OcrError))
            for page_ in claim.pages:
                results.setdefault(page_.number, PageError("storage_error", _reason(e)))
    return results


def _to_do(claim: Claim, of: str, spool: Spool, results: dict[int, Measured | PageError]) -> Iterator[StoredPage]:
    """The claimed pages without blocks; the others get their result at once."""
    for page in claim.pages:
        stored = three_tries(lambda number=page.number: spool.stored_page(of, number))  # type: ignore[misc]
        if stored is None:
            results[page.number] = PageError("storage_error", "the text of this page is no longer in the spool")
        elif stored.get("blocks") is not None:
            results[page.number] = Measured(None, None)
        else:
            yield StoredPage.of(stored, page.attempts)


# -- a structuring: the structure of a job that has ended ------------------------------------------------------------
def open_structuring(job: Job, token: str, ledger: Ledger) -> Step:
    """Open the pages of a claimed structuring: those that its job has read. Raises UnknownJob."""
    of = ledger.job(job.structures or "")
    pages, workers = list(ledger.pages(of)), live(ledger.redis)
    queue = _queue(of, workers)
    record = {"total": of.total or 0, "engine": STRUCTURE, "model": "", "revision": "", "queue": queue}
    others = {index: None for index, page in enumerate(pages, 1) if page.state != PageState.OK}  # nothing is to be done
    lanes = wanted_lanes(max(1, children_of(queue, workers)), jobs_waiting(ledger.redis, queue))
    return ledger.open(job.id, token, len(pages), lanes, record, others)


def _queue(of: Job, workers: Sequence[Worker]) -> str:
    """The queue whose workers find the structure: that of the job's own pages, if they can do it as well as others."""
    able = [worker for worker in workers if worker.structure]
    best = [worker for worker in able if worker.structure == Structure.MODELS] or able
    queues = {queue for worker in best for queue in worker.queues if names.engine_of(queue)}
    if not queues or of.queue in queues:
        return of.queue or ""
    return min(queues, key=lambda queue: (-children_of(queue, best), queue))


def has_text(job: str, token: str, ledger: Ledger, spool: Spool) -> bool:
    """Whether the text of all pages of a live claim is stored, so that the claim only looks for their blocks."""
    try:
        record = ledger.job(job)
        numbers = claimed(ledger.redis, record, token) if record.options.wants_structure else []
        return bool(numbers) and all(spool.stored_page(job, number) is not None for number in numbers)
    except OcrError:
        return False
