"""Chooses the engine and the model of a job. The choice holds for all pages: it is made when the document is opened."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ocrqueue import languages, names
from ocrqueue.engines import POOR_PAGES, engine_class, languages_of, pages_of
from ocrqueue.engines.best import Reads, announced, best_engine, for_poor_pages, missing, reads_all
from ocrqueue.errors import DocumentError, InvalidOptions, ModelUnavailable, unserved
from ocrqueue.ledger import Job, Other
from ocrqueue.ledger.workers import Worker
from ocrqueue.limits import Limits, RereadLimits
from ocrqueue.options import Options
from ocrqueue.quality import is_measured
from ocrqueue.steps.page_cache_key import reads_as


@dataclass(frozen=True, slots=True)
class Offer:
    """An engine with the model that its worker uses."""

    engine: str  # name
    model: str  # name
    revision: str  # of the model; empty if not known yet
    queue: str  # of the pages
    reads_as: str = ""  # see `page_cache_key.reads_as`; empty if not known yet


def choose(options: Options, workers: Sequence[Worker], limits: Limits, engines: Mapping[str, str]) -> Offer:
    """The offer that fits the options: of a live worker, or of a worker that may start later.

    `engines` are the known engines: name and "module:Class". Raises InvalidOptions if no engine has the name in the
    options, and DocumentError if the engine does not have the model (`model_missing`) or does not read the language
    (`language_missing`).
    """
    offers = [
        Offer(
            name,
            str(about["model"]),
            str(about["revision"]),
            str(about.get("queue") or names.pages_queue(name)),
            str(about.get("reads_as", "")),
        )
        for worker in sorted(workers, key=lambda w: (w.started, w.id))
        for name, about in worker.engines.items()
    ]
    engine = _choose_engine(options, offers, engines, announced(workers), for_poor_pages(workers))
    offers = [offer for offer in offers if offer.engine == engine]
    fitting = next((o for o in offers if options.model in (None, o.model)), None)
    return fitting or _not_served(engine, options, offers, limits, engines)


def other_engine(job: Job, reads_as: str, workers: Sequence[Worker], limits: RereadLimits) -> Other | None:
    """The engine for poorly read pages of a job that the engine with this `reads_as` reads; None: there is none.

    It is one that a live worker serves and that reads the job's languages: one that is served for poorly read pages, or
    else one whose quality is known. A job that names its engine or model is not read by another one.
    """
    if limits.allow_nothing or job.first or not _may_be_read_again(job.options):
        return None
    name, about = _second(job.options, job.engine, workers)
    if not about:
        return None
    queue = str(about.get("queue") or names.pages_queue(name))
    return Other(queue, name, about["model"], about["revision"], reads_as, limits.share, limits.seconds)


def read_again_as(options: Options, engine: str | None, workers: Sequence[Worker], limits: RereadLimits) -> str | None:
    """How the poorly read pages of a job that `engine` reads would be read again now: the other engine's `reads_as`.

    Its name if it does not say; empty if no worker serves such an engine; None if no page of the job may be read again.
    """
    if limits.allow_nothing or not _may_be_read_again(options):
        return None
    name, about = _second(options, engine, workers)
    return str(about.get("reads_as") or name)


def _may_be_read_again(options: Options) -> bool:
    return options.engine == "auto" and not options.model


def _second(options: Options, engine: str | None, workers: Sequence[Worker]) -> tuple[str, Mapping[str, Any]]:
    """The other engine for pages that `engine` reads poorly, and what its worker announces; empty if there is none."""
    wanted = languages.parse(options.lang) if options.lang else ()
    poor = for_poor_pages(workers)
    offers = [
        (name, about)
        for worker in sorted(workers, key=lambda w: (w.started, w.id))
        for name, about in worker.engines.items()
        if name != engine and (name in poor or is_measured(name)) and reads_all(about.get("languages"), wanted)
    ]
    return min(offers, key=lambda offer: offer[0] not in poor, default=("", {}))


def _choose_engine(
    options: Options, offers: Sequence[Offer], engines: Mapping[str, str], reads: Reads, poor: Set[str]
) -> str:
    """The engine for the options; one in `poor` only if there is no other. Raises DocumentError, InvalidOptions."""
    engine, served = options.engine, {offer.engine for offer in offers}
    if engine != "auto" and engine not in served and engine not in engines:
        raise InvalidOptions(
            f"no engine has the name {engine!r}: there are {', '.join(sorted(engines.keys() | served))}"
        )
    if engine == "auto" and options.model:
        fitting = {offer.engine for offer in offers if options.model == offer.model} or served
    else:
        fitting = served
    if options.lang:
        return _by_language(options, reads, fitting, engines, poor)
    return _by_default(fitting - poor or fitting) if engine == "auto" else engine


def _by_default(fitting: Set[str]) -> str:
    """The engine of a job that names neither engine nor language."""
    if "mlx-vlm" in fitting:
        return "mlx-vlm"
    return next(iter(fitting)) if len(fitting) == 1 else "rapidocr"


def _by_language(options: Options, served: Reads, fitting: Set[str], engines: Mapping[str, str], poor: Set[str]) -> str:
    """The engine of the options, or the one of the served engines that fit them that reads their language best.

    If none of these is served, the known `engines` count, as they are on this machine, and the job waits for a worker.
    Raises DocumentError, InvalidOptions.
    """
    wanted = languages.parse(options.lang or "")
    if options.engine != "auto":
        fitting = fitting & {options.engine}
        engines = {options.engine: engines[options.engine]} if options.engine in engines else {}
    reads: Reads = {name: read for name, read in served.items() if name in fitting}
    last: Collection[str] = poor
    if not reads:
        reads, last = _reads_here(engines)
    if not reads:
        return options.engine  # nothing is known of it
    best = best_engine(wanted, reads, poor=last)
    if best is None:
        raise missing(wanted, reads, served, poor)
    return best


def _reads_here(engines: Mapping[str, str]) -> tuple[Reads, set[str]]:
    """What the engines that are installed on this machine read, and which of them are for poorly read pages only."""
    found, poor = {}, set()
    for name, path in engines.items():
        engine = engine_class(path)()
        try:
            engine.default_model()
        except ModelUnavailable:
            continue
        found[name] = languages_of(engine)
        if pages_of(engine) == POOR_PAGES:
            poor.add(name)
    return found, poor


def _not_served(
    engine: str, options: Options, offers: Sequence[Offer], limits: Limits, engines: Mapping[str, str]
) -> Offer:
    """The offer that the job waits for if no live worker has the engine with this model."""
    if engine == "mlx-vlm" and options.model:
        return Offer(engine, options.model, "", names.pages_queue(engine, options.model))
    if engine == "mlx-vlm":
        raise DocumentError(
            "no worker reads with mlx-vlm: set OCR_MODEL to one that `submit.py models list` shows, and start a worker",
            "model_missing",
        )
    if offers:
        offer = offers[0]
    else:
        reader = engine_class(engines[engine])()
        model = reader.default_model()
        queue = names.pages_queue(engine)
        offer = Offer(engine, model.name, model.revision, queue, reads_as(reader, model, limits))
    if options.model and options.model != offer.model:
        raise DocumentError(
            f"{unserved(options.model)}; the engine {engine} reads with {offer.model} only", "model_missing"
        )
    return offer
