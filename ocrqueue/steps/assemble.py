"""Assembles a job: writes its pages, in order, into one result, and ends the job."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from ocrqueue import names
from ocrqueue.errors import PageError, StorageError, UnknownJob
from ocrqueue.formats import FORMATS
from ocrqueue.formats.structured.joined import joined
from ocrqueue.ledger import MISSING_TEXT, Job, Ledger, Outcome, PageRecord, Step
from ocrqueue.states import STRUCTURED_FORMATS, PageState
from ocrqueue.steps.structure import by_rules
from ocrqueue.storage import results
from ocrqueue.storage.results import PageFacts
from ocrqueue.storage.retry import three_tries
from ocrqueue.storage.spool import Spool, output_name, result_name

_GIVEN_UP = ("model_missing", "storage_error")  # codes of pages of a structuring that leave the result as it was
_NOT_LOOKED_FOR = "the workers that read the page or looked for its structure did not find it"


def assemble(job: Job, token: str, ledger: Ledger, spool: Spool) -> Step:
    """Write the result of a claimed job from its stored pages, and end the job.

    A page whose file is missing or damaged is a failed page with the code `storage_error`. Raises StorageError if the
    spool cannot be read or written.
    """
    if job.structures:
        return _assemble_structuring(job, token, ledger, spool)
    pages = list(ledger.pages(job))
    stored = set(three_tries(lambda: spool.page_numbers(job.id)))
    lost = {page.number for page in pages if page.state == PageState.OK} - stored
    seconds = ledger.now() - job.created
    # The header comes before the pages and counts the lost ones. A damaged page is found only when it is read; then
    # the result is written a second time.
    while found := three_tries(partial(_write, job, ledger.outcome(job.id, lost), pages, lost, seconds, spool)):
        lost |= found
    return ledger.end(job.id, job.round, token, sorted(lost))


def _assemble_structuring(job: Job, token: str, ledger: Ledger, spool: Spool) -> Step:
    """Write the result of a structuring's job again, with blocks, and end the structuring.

    Pages whose claims were lost get blocks by rules. If the structuring was cancelled, no worker took its pages, or the
    spool has lost one, the result stays as it was.
    """
    given_up = job.cancelled or any(page.code in _GIVEN_UP for page in ledger.pages(job))
    if not given_up:
        with suppress(UnknownJob):  # dropped meanwhile
            of = ledger.job(job.structures or "")
            if names.structuring_id(of.id, of.round) == job.id:  # not retried meanwhile
                _write_again(of, ledger, spool)
    return ledger.end(job.id, job.round, token)


def _write_again(job: Job, ledger: Ledger, spool: Spool) -> None:
    """Write the result of a job that has ended again. Formats that were made without blocks are removed."""
    outcome = Outcome(job.state, job.ok, job.failed, job.cancelled)
    seconds = (job.ended or job.created) - job.created
    pages = list(ledger.pages(job))
    three_tries(lambda: _write(job, outcome, pages, set(), seconds, spool, structure=True))
    for format in STRUCTURED_FORMATS:
        spool.remove(job.id, output_name(FORMATS[format].extension, job.round))


def _write(
    job: Job,
    outcome: Outcome,
    pages: list[PageRecord],
    lost: set[int],
    seconds: float,
    spool: Spool,
    structure: bool | None = None,
) -> set[int]:
    """Write the result; `lost` are the numbers of pages that count as ok but have no text.

    `structure` says whether the pages have blocks; None: if the job wants them.

    Returns the numbers of other such pages, found while writing. Then the header's counts are wrong.
    """
    found: set[int] = set()
    with_blocks = job.options.wants_structure if structure is None else structure
    header = results.result_header(
        job=job.id,
        state=outcome.state,
        source={**job.source.to_json(), "pages": job.total},
        options=job.options.given(),
        counts={"ok": outcome.ok, "failed": outcome.failed, "cancelled": outcome.cancelled},
        seconds=seconds,
        qualities=[page.quality for page in pages if page.state == PageState.OK and page.number not in lost],
        structure=with_blocks,
    )
    with spool.open_write(job.id, result_name(job.round)) as stream:
        stored = partial(_pages, job, pages, lost, found, spool, with_blocks)
        final = joined(stored, job.options.keep_running_heads) if with_blocks else stored()
        results.write_result(stream, header, final)
    return found


def _pages(
    job: Job, pages: Iterable[PageRecord], lost: set[int], found: set[int], spool: Spool, with_blocks: bool
) -> Iterator[dict[str, Any]]:
    """The results of the pages. Adds the number of each page that cannot be read, and is not in `lost`, to `found`."""
    pages = list(pages)
    texts = spool.stored_pages(job.id, [p.number for p in pages if p.state == PageState.OK and p.number not in lost])
    for page in pages:
        number = page.number
        facts = PageFacts(engine=job.engine, model=job.model, revision=job.revision, attempts=page.attempts)
        if page.state == PageState.OK:
            stored = None if number in lost else next(texts)
            if stored is None and job.has_ended:  # the result that is there has its text
                raise StorageError(f"page {number}: {MISSING_TEXT.message}")
            if stored is None:
                found |= {number} - lost
            elif not with_blocks:
                stored |= {"blocks": None}  # found for an earlier round
            elif stored.get("blocks") is None:
                stored = results.with_blocks(stored, by_rules(results.text_of(stored), stored["dpi"], _NOT_LOOKED_FOR))
            yield stored or results.failed_page(number, MISSING_TEXT, facts)
        elif page.state == PageState.FAILED:
            yield results.failed_page(number, PageError(page.code or "internal_error", page.message or ""), facts)
        else:
            yield results.cancelled_page(number, facts)
