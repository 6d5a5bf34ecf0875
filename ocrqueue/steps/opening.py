"""Opening a document: into the spool where it is not there yet, pages counted, engine and model settled once."""

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from ocrqueue import names
from ocrqueue.documents import open_document
from ocrqueue.engines import engine_class
from ocrqueue.errors import DocumentError, InvalidOptions, QueueFull
from ocrqueue.fetching.sources import fetch_source
from ocrqueue.ledger import ClaimedPage, Job, Ledger, Source, Step
from ocrqueue.ledger.records import job_note
from ocrqueue.ledger.workers import Worker, live
from ocrqueue.limits import Limits
from ocrqueue.options import Options, select_pages
from ocrqueue.steps.page_cache import PageCache, reads_as
from ocrqueue.steps.reading import storing
from ocrqueue.storage.spool import JOB, Spool

LANES_PER_CHILD = 2  # one page being read, the next one waiting


def accept(job: str, source: object, options: object, ledger: Ledger, max_queued_pages: int) -> bool:
    """Make the record of a job that came as a plain message; whether it is new.

    Raises InvalidOptions where the message is malformed, QueueFull where a new job finds no room.
    """
    what = parse_source(source), Options.parse(options if options is not None else {})
    if ledger.backlog() >= max_queued_pages and not ledger.redis.exists(names.job_key(job)):
        raise QueueFull(f"{max_queued_pages:,} pages are waiting, the limit; send it again later")
    return bool(ledger.create(job, *what).reply["created"])


def parse_source(source: object) -> Source:
    """The source that a plain message names: {"path": ...}, {"url": ...} or {"spool": "source-<sha256>"}."""
    if not isinstance(source, dict) or len(source) != 1 or not all(isinstance(v, str) and v for v in source.values()):
        raise InvalidOptions('source must be {"path": "…"}, {"url": "…"} or {"spool": "source-<sha256>"}')
    kind, value = next(iter(source.items()))
    if kind == "spool":
        if not re.fullmatch("source-[0-9a-f]{64}", value):
            raise InvalidOptions(f"a source in the spool is called source-<sha256>, not {value[:80]!r}")
        return Source(name=value, file=value, sha256=value.removeprefix("source-"))
    if kind not in ("path", "url"):
        raise InvalidOptions(f"a source is named by path, url or spool, not by {kind!r}")
    return Source(name=value.rstrip("/").rpartition("/")[2] or value, spec={kind: value})


def open_job(
    job: Job,
    token: str,
    ledger: Ledger,
    spool: Spool,
    cache: PageCache,
    limits: Limits,
    *,
    allowed: Sequence[str],
    engines: Mapping[str, str],
) -> Step:
    """Open the document of a claimed job and put its pages into the ledger, those in the cache as read.

    `allowed` are the sources that may be read besides the spool, `engines` those a job may wait for where no worker
    has announced them yet, each with its "module:Class". Raises DocumentError, StorageError.
    """
    if not storing(lambda: spool.exists(job.id, JOB)):  # a plain message; the client writes it before it sends
        storing(lambda: spool.write_json(job.id, JOB, job_note(job.id, job.source, job.options, job.created)))
    source = job.source if job.source.file else _into_spool(job, spool, limits, allowed)
    file = cast("str", source.file)
    password = storing(lambda: spool.read_password(job.id))
    try:
        with spool.local_source(job.id, file) as path, open_document(path, limits, password) as document:
            total = document.page_count
            source = _compared(source, path)
    except FileNotFoundError as e:
        raise DocumentError(f"{file} is not in the spool: submit the document again", "storage_error") from e
    asked = select_pages(job.options.pages, total)
    workers = live(ledger.redis)
    offer = _settle_engine(job.options, workers, limits, engines)
    record = {
        "total": total,
        "source": source.dumps(),
        "name": source.name[:80],
        "engine": offer.engine,
        "model": offer.model,
        "revision": offer.revision,
        "queue": offer.queue,
    }
    cached = set(_from_cache(replace(job, source=source), asked, offer.reads_as, spool, cache, limits))
    read = [index for index, number in enumerate(asked, 1) if number in cached]
    return ledger.open(job.id, token, len(asked), lanes(workers, offer.queue), record, read)


def _from_cache(
    job: Job, asked: Sequence[int], reads_as: str, spool: Spool, cache: PageCache, limits: Limits
) -> list[int]:
    """The numbers of the pages that are in the job's folder now, without a ticket; the rest is looked for once more."""
    key = None if job.options.fresh or job.cancelling else cache.key(job, reads_as, spool)
    if key is None:
        return []
    return cache.supply(key, job, (ClaimedPage(n, 0) for n in asked), spool, limits.open_seconds / 3)


def lanes(workers: Sequence[Worker], queue: str) -> int:
    """How many lanes a job has: two a live child that serves its queue, at least two."""
    return LANES_PER_CHILD * max(1, sum(w.children for w in workers if queue in w.queues))


def _compared(source: Source, path: Path) -> Source:
    """With its length, if the bytes are those that its name says; a plain message's file was written by somebody else.

    A source without a length is never cached.
    """
    if source.bytes is not None:
        return source
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == source.sha256
    return replace(source, bytes=path.stat().st_size) if same else source


def _into_spool(job: Job, spool: Spool, limits: Limits, allowed: Sequence[str]) -> Source:
    """Copy the document to where workers read it, before any page is read; what it is called stays."""
    with tempfile.TemporaryFile() as copy:
        name = fetch_source(job.source.spec or {}, copy, allowed, limits)

        def store() -> Source:
            copy.seek(0)
            stored = spool.put_source(job.id, copy, limits.max_bytes)
            return Source(name, stored.file, stored.sha256, stored.bytes, job.source.spec)

        return storing(store)


@dataclass(frozen=True, slots=True)
class _Offer:
    """An engine with the model that a live worker reads with."""

    engine: str
    model: str
    revision: str
    queue: str
    reads_as: str = ""  # see `page_cache.reads_as`; empty where that is not known yet


def _settle_engine(options: Options, workers: Sequence[Worker], limits: Limits, engines: Mapping[str, str]) -> _Offer:
    """Engine, model, revision and queue, decided once for all pages of the job."""
    served = [
        _Offer(
            name,
            str(about["model"]),
            str(about["revision"]),
            str(about.get("queue") or names.pages_queue(name)),
            str(about.get("reads_as", "")),
        )
        for worker in sorted(workers, key=lambda w: (w.started, w.id))
        for name, about in worker.engines.items()
    ]
    engine = _choose_engine(options, served, engines)
    offers = [offer for offer in served if offer.engine == engine]
    fitting = next((o for o in offers if options.model in (None, o.model)), None)
    return fitting or _unserved(engine, options, offers, limits, engines)


def _choose_engine(options: Options, served: Sequence[_Offer], engines: Mapping[str, str]) -> str:
    engine, known = options.engine, {offer.engine for offer in served}
    if engine == "auto":
        fitting = {offer.engine for offer in served if options.model in (None, offer.model)} or known
        engine = "mlx-vlm" if "mlx-vlm" in fitting else "rapidocr"
        if engine not in fitting and len(fitting) == 1:
            engine = next(iter(fitting))
    if engine not in known and engine not in engines:
        raise InvalidOptions(f"no engine is called {engine!r}: there are {', '.join(sorted(engines.keys() | known))}")
    return engine


def _unserved(
    engine: str, options: Options, offers: Sequence[_Offer], limits: Limits, engines: Mapping[str, str]
) -> _Offer:
    """What a job waits for where no live worker offers it: a model that its worker will name, or the engine's own."""
    if engine == "mlx-vlm" and options.model:
        return _Offer(engine, options.model, "", names.pages_queue(engine, options.model))
    if engine == "mlx-vlm":
        raise DocumentError("no worker reads with mlx-vlm: start one with OCR_MODEL, or name a model", "model_missing")
    model = offers[0].model if offers else None
    if model is None:
        reader = engine_class(engines[engine])()
        default = reader.default_model()
        model = default.name
        queue = names.pages_queue(engine)
        offers = [_Offer(engine, model, default.revision, queue, reads_as(reader, default, limits))]
    if options.model not in (None, model):
        raise DocumentError(f"the engine {engine} reads with {model}, not with {options.model}", "model_missing")
    return offers[0]
