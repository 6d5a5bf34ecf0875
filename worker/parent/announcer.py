"""The announcer: says in Redis what this worker serves, so that jobs are sent to queues that somebody reads."""

import logging
import time
from typing import Any

import worker_config as config
from ocrqueue import __version__, names
from ocrqueue.engines import engine_class, languages_of, pages_of
from ocrqueue.errors import ModelUnavailable
from ocrqueue.ledger.workers import Structure, Worker, announce, withdraw
from ocrqueue.settings import hostname
from ocrqueue.steps.page_cache_key import reads_as
from ocrqueue.structure import has_models
from worker import context
from worker.parent import warden

log = logging.getLogger(__name__)
SECONDS = float(config.OCR_LEASE_SECONDS)  # that an announcement lasts


class Announcer:
    """One per worker, in its parent process. `worker` is the worker's id."""

    def __init__(self, consumer: Any, worker: str) -> None:
        self._consumer = consumer
        self._worker = worker
        self._since = time.time()
        self._queues = set(consumer.app.amqp.queues.consume_from)
        self._engines = {n: engine_class(p)() for n, p in config.SERVED.items() if config.QUEUES[n] in self._queues}

    def announce(self) -> bool:
        """Count the worker and its children as live for `SECONDS` from now.

        Returns whether it can do something: it has an engine whose model is there, or needs none.
        """
        redis = context.redis()
        why = {n: redis.get(names.unable_key(self._worker, n)) for n in self._engines}
        unable = {n for n, reason in why.items() if reason is not None}
        self._resume(unable)
        engines = {name: offer for name in self._engines.keys() - unable if (offer := self._offer(name))}
        row = Worker(
            id=self._worker,
            host=hostname(),
            pid=self._consumer.pid,
            version=__version__,
            queues=tuple(sorted(self._queues - {config.QUEUES[n] for n in self._engines.keys() - engines.keys()})),
            engines=engines,
            children=self._consumer.pool.num_processes,
            started=self._since,
            paused={config.QUEUES[n]: str(why[n]) for n in unable},
            structure=(Structure.MODELS if has_models() else Structure.RULES) if self._engines else None,
            memory=tuple(warden.memory(self._consumer.pool)),
            sources=tuple(entry for entry in config.OCR_ALLOWED_SOURCES if not entry.startswith("/")),
            webhooks=config.WEBHOOKS.announced(),
        )
        announce(redis, row, SECONDS)
        for pid in warden.children(self._consumer.pool):
            redis.expire(names.child_key(self._worker, pid), int(SECONDS))
        return bool(engines) or not self._engines

    def withdraw(self) -> None:
        """Count the worker as gone, at once."""
        withdraw(context.redis(), self._worker)

    def _offer(self, name: str) -> dict[str, Any] | None:
        """What is announced of an engine; None while its model is not there."""
        engine = self._engines[name]
        try:
            model = engine.default_model()
            way = reads_as(engine, model, config.LIMITS)
        except ModelUnavailable as e:
            log.warning("%s: %s", e.code, e.message)
            return None
        return {
            "model": model.name,
            "revision": model.revision,
            "batch": engine.batch,
            "queue": config.QUEUES[name],
            "reads_as": way,
            "languages": languages_of(engine),
            "pages": pages_of(engine),
        }

    def _resume(self, unable: set[str]) -> None:
        """Read an engine's queue again after the pause that `worker.engines.suspend` began is over."""
        for name in self._engines.keys() - unable:
            queue = config.QUEUES[name]
            if not self._consumer.task_consumer.consuming_from(queue):
                self._consumer.call_soon(self._consumer.add_task_queue, queue)
