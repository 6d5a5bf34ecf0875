"""Chooses the engine and the model of a job. The choice holds for all pages: it is made when the document is opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocrqueue import names
from ocrqueue.engines import engine_class
from ocrqueue.errors import DocumentError, InvalidOptions, unserved
from ocrqueue.ledger.workers import Worker
from ocrqueue.limits import Limits
from ocrqueue.options import Options
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
    options, and DocumentError with the code `model_missing` if the engine does not have the model.
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
    engine = _choose_engine(options, offers, engines)
    offers = [offer for offer in offers if offer.engine == engine]
    fitting = next((o for o in offers if options.model in (None, o.model)), None)
    return fitting or _not_served(engine, options, offers, limits, engines)


def _choose_engine(options: Options, offers: Sequence[Offer], engines: Mapping[str, str]) -> str:
    engine, served = options.engine, {offer.engine for offer in offers}
    if engine == "auto":
        fitting = {offer.engine for offer in offers if options.model in (None, offer.model)} or served
        engine = "mlx-vlm" if "mlx-vlm" in fitting else "rapidocr"
        if engine not in fitting and len(fitting) == 1:
            engine = next(iter(fitting))
    if engine not in served and engine not in engines:
        raise InvalidOptions(
            f"no engine has the name {engine!r}: there are {', '.join(sorted(engines.keys() | served))}"
        )
    return engine


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
