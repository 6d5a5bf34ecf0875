"""The engines of this worker: loading one, and pausing its queue where no pages can be read."""

import logging
import time
from collections.abc import Iterable

import worker_config as config
from ocrqueue import names
from ocrqueue.engines import engine_class
from ocrqueue.engines.holder import Loaded
from ocrqueue.errors import ModelUnavailable, OcrError
from ocrqueue.ledger.workers import live
from worker.app import app
from worker.context import engines, redis, worker_id

log = logging.getLogger(__name__)
PAUSE = 60  # seconds before a worker that could not load a model, or use the spool, tries again
_COUNT_SECONDS = 10.0  # for which a count of children is reused
_counted: dict[str, tuple[float, int]] = {}  # queue -> (monotonic time, live children)


def load(queue: str) -> Loaded | None:
    """The engine that reads a queue's pages, with its model; None if it cannot be loaded, and then it is suspended."""
    engine = names.engine_of(queue)
    try:
        return engines().get(engine)
    except ModelUnavailable as e:
        suspend(engine, e)
        return None


def page_time_limit(served: Iterable[str]) -> int:
    """Seconds after which the parent ends a child in `ocr.page`, for a worker that serves these engines.

    Longer than the limits inside the child: loading a model, then reading the largest batch.
    """
    batch = max((engine_class(config.SERVED[name])().batch for name in served), default=1)
    return config.LIMITS.load_seconds + batch * config.LIMITS.page_seconds + config.TIME_LIMIT_MARGIN


def suspend(engine: str, why: OcrError) -> None:
    """Have this worker read no pages of `engine` for `PAUSE` seconds, and announce so."""
    log.error("%s: %s; no pages for this engine here for %d s", why.code, why.message, PAUSE)
    redis().set(names.unable_key(worker_id(), engine), why.message, ex=PAUSE)
    if current := app.current_worker_task:
        queue = config.QUEUES.get(engine, names.pages_queue(engine))
        app.control.cancel_consumer(queue, destination=[current.request.hostname])


def children_sharing(queue: str, batch: int) -> int:
    """How many live children read from `queue`, so that a batch leaves pages for them.

    1 where the engine reads one page at a time, since the number does not matter then.
    """
    if batch == 1:
        return 1
    counted, count = _counted.get(queue, (0.0, 1))
    if time.monotonic() - counted > _COUNT_SECONDS or not counted:
        count = sum(w.children for w in live(redis()) if queue in w.queues)
        _counted[queue] = (time.monotonic(), count)
    return count
