"""Opens a document: copies it into the spool, counts its pages, chooses the engine, puts the pages in the ledger."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ocrqueue.documents import open_document
from ocrqueue.errors import DocumentError
from ocrqueue.fetching.sources import fetch_source
from ocrqueue.ledger import ClaimedPage, Job, Ledger, Measured, Source, Step
from ocrqueue.ledger.records import job_note
from ocrqueue.ledger.waiting import jobs_waiting
from ocrqueue.ledger.workers import live
from ocrqueue.limits import Limits, RereadLimits
from ocrqueue.options import select_pages
from ocrqueue.steps.engine_choice import choose, read_again_as
from ocrqueue.steps.lanes import children_of, wanted_lanes
from ocrqueue.steps.page_cache import PageCache
from ocrqueue.storage.retry import three_tries
from ocrqueue.storage.spool import JOB, Spool


def open_job(
    job: Job,
    token: str,
    ledger: Ledger,
    spool: Spool,
    cache: PageCache,
    limits: Limits,
    reread: RereadLimits,
    *,
    allowed: Sequence[str],
    engines: Mapping[str, str],
) -> Step:
    """Open the document of a claimed job and put its pages in the ledger; pages in the cache count as read.

    `allowed` are the folders and URL prefixes that a plain message may name as its source. `engines` are the engines
    that the job may wait for: name and "module:Class". Raises DocumentError and StorageError.
    """
    if not three_tries(lambda: spool.exists(job.id, JOB)):  # a plain message; the client writes it itself
        note = job_note(job.id, job.source, job.options, job.created, job.submitter)
        three_tries(lambda: spool.write_json(job.id, JOB, note))
    source, total = _count_pages(job, spool, limits, allowed)
    asked = select_pages(job.options.pages, total)
    workers = live(ledger.redis)
    offer = choose(job.options, workers, limits, engines)
    record = {
        "total": total,
        "source": source.dumps(),
        "name": source.name[:80],
        "engine": offer.engine,
        "model": offer.model,
        "revision": offer.revision,
        "queue": offer.queue,
    }
    again = read_again_as(job.options, offer.engine, workers, reread)
    cached = _from_cache(replace(job, source=source), asked, offer.reads_as, again, spool, cache, limits)
    read = {index: cached[number].quality for index, number in enumerate(asked, 1) if number in cached}
    if second := next((page.second for page in cached.values() if page.second), None):
        record["second"] = json.dumps(second)
    lanes = wanted_lanes(max(1, children_of(offer.queue, workers)), jobs_waiting(ledger.redis, offer.queue))
    return ledger.open(job.id, token, len(asked), lanes, record, read)


def _count_pages(job: Job, spool: Spool, limits: Limits, allowed: Sequence[str]) -> tuple[Source, int]:
    """The document in the spool, and its number of pages. Raises DocumentError and StorageError."""
    source = job.source if job.source.file else _into_spool(job, spool, limits, allowed)
    file = source.file or ""
    password = three_tries(lambda: spool.read_password(job.id))
    try:
        with spool.local_source(job.id, file) as path, open_document(path, limits, password) as document:
            return _verified(source, path), document.page_count
    except FileNotFoundError as e:
        raise DocumentError(f"{file} is not in the spool: submit the document again", "storage_error") from e


def _from_cache(
    job: Job, asked: Sequence[int], reads_as: str, again: str | None, spool: Spool, cache: PageCache, limits: Limits
) -> dict[int, Measured]:
    """Copy cached pages into the job's folder, for at most a third of the time to open a document.

    Returns what is measured of them by page number. The other pages are looked up again when they are claimed; so are
    those that another engine may read better.
    """
    key = None if job.options.fresh or job.cancelling else cache.key(job, reads_as, spool)
    if key is None:
        return {}
    pages = (ClaimedPage(n, 0) for n in asked)
    found = cache.supply(key, job, pages, spool, lambda: again, limits.open_seconds / 3)
    return {number: page for number, page in found.items() if not (again and page.may_be_read_better)}


def _verified(source: Source, path: Path) -> Source:
    """The source with its length, if the file's bytes have the SHA-256 in its name.

    The file of a plain message was written by another program, and its name may be wrong. Pages of a source without a
    length are not cached.
    """
    if source.bytes is not None:
        return source
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == source.sha256
    return replace(source, bytes=path.stat().st_size) if same else source


def _into_spool(job: Job, spool: Spool, limits: Limits, allowed: Sequence[str]) -> Source:
    """Copy the document from its path or URL into the spool, where all workers can read it."""
    with tempfile.TemporaryFile() as copy:
        name = fetch_source(job.source.spec or {}, copy, allowed, limits)

        def store() -> Source:
            copy.seek(0)
            stored = spool.put_source(job.id, copy, limits.max_bytes)
            return Source(name, stored.file, stored.sha256, stored.bytes, job.source.spec)

        return three_tries(store)
