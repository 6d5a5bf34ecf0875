"""`ocr.page`: a ticket. It says that there is work in a job, and names no page; the ledger says which."""

import logging
import time
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import names
from ocrqueue.engines.holder import Loaded
from ocrqueue.errors import ModelUnavailable
from ocrqueue.ledger import Message, NewerRecord
from ocrqueue.ledger.messages import send
from ocrqueue.ledger.workers import live
from ocrqueue.steps.read import read_claim
from tasks.document import parse_job
from worker.app import app
from worker.claims import ClaimTask
from worker.context import engines, ledger, page_cache, redis, spool, worker_id
from worker.telling import dispatch, show_progress

log = logging.getLogger(__name__)
UNABLE_SECONDS = 60  # pause before a worker that could not load a model tries again


@app.task(bind=True, base=ClaimTask, name=names.PAGE)
def page(self: ClaimTask, *args: Any, version: Any = names.VERSION, **more: Any) -> dict[str, int]:
    """Take the job's next page (or, for an engine that reads in batches, some), read it, count it."""
    if len(args) != 3 or more or not all(type(n) is int and n >= 0 for n in args[1:]):
        raise self.refuse(f"arguments that are not (job, lane, serial): {[*args, *more]!r}")
    job, lane, serial = parse_job(self, args[0], version), args[1], args[2]
    queue = (self.request.delivery_info or {}).get("routing_key", "")
    loaded = _load(names.engine_of(queue), Message("page", job, (lane, serial), queue))
    if loaded is None:
        return {"pages": 0}
    batch = loaded.engine.batch
    children = _children(queue, batch)
    try:
        with self.claiming(
            lambda alone: ledger().claim(job, lane, serial, self.token, batch, children, alone)
        ) as claim:
            if claim is None:
                return {"pages": 0}
            results = read_claim(claim, loaded, spool(), page_cache(), config.LIMITS, lambda: _is_cancelled(job))
            step = ledger().finish(claim, results)
    except NewerRecord as e:
        raise self.refuse(e.message) from None
    if step.done:
        dispatch(step.messages)
        show_progress(job, dict(step.reply))
    else:
        log.warning("job=%s: the claim was given up meanwhile; what was read does not count", job)
    return {"pages": len(claim.pages)}


def _is_cancelled(job: str) -> bool:
    try:
        return ledger().is_cancelled(job)
    except RedisError:  # a page survives a restart of Redis
        return False


def _load(engine: str, ticket: Message) -> Loaded | None:
    """The engine; where it cannot be loaded the worker stops taking its queue and the ticket goes to others."""
    try:
        return engines().get(engine)
    except ModelUnavailable as e:
        give_up(redis(), engine, e)
        send(app, [ticket])
        return None


def give_up(connection: "Redis", engine: str, why: ModelUnavailable) -> None:
    """Say that this worker cannot read with `engine`, and take none of its pages for a while."""
    log.error("%s: %s; no pages for this engine here for %d s", why.code, why.message, UNABLE_SECONDS)
    connection.set(names.unable_key(worker_id(), engine), why.message, ex=UNABLE_SECONDS)
    if current := app.current_worker_task:
        app.control.cancel_consumer(
            config.QUEUES.get(engine, names.pages_queue(engine)), destination=[current.request.hostname]
        )


_known_children: dict[str, tuple[float, int]] = {}  # queue -> (when asked, live children)


def _children(queue: str, batch: int) -> int:
    """Live children that share a queue, asked for at most every ten seconds, and only where it matters."""
    if batch == 1:
        return 1
    asked, count = _known_children.get(queue, (0.0, 1))
    if time.monotonic() - asked > 10 or not asked:
        count = sum(w.children for w in live(redis()) if queue in w.queues)
        _known_children[queue] = (time.monotonic(), count)
    return count
