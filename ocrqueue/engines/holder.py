"""The engines of one worker child. Each loads its model once, when it is first used or when the child starts."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ocrqueue.engines import Engine, Model, engine_class
from ocrqueue.errors import ModelUnavailable
from ocrqueue.process.memory import settle, unsettle
from ocrqueue.process.watchdog import time_limit

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Loaded:
    """An engine with its model in memory."""

    engine: Engine
    model: Model  # that the engine has loaded
    since: float  # when it was loaded, in seconds since 1970


class EngineHolder:
    """Loads engines when they are needed, and counts the loads."""

    def __init__(self, served: Mapping[str, str], load_seconds: float) -> None:
        self._served = served  # engine name -> module:Class
        self._load_seconds = load_seconds
        self._loaded: dict[str, Loaded] = {}
        self.loads = 0  # models loaded since the process started
        self.last_used: float | None = None  # seconds since 1970; None: never

    def get(self, name: str) -> Loaded:
        """Return the engine `name`, and load its model if necessary. Raises ModelUnavailable."""
        self.last_used = time.time()
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Loaded:
        if name not in self._served:
            raise ModelUnavailable(f"this worker does not serve the engine {name!r}: add it to OCR_WORKER_ENGINES")
        started = time.monotonic()
        try:
            engine = engine_class(self._served[name])()
            model = engine.default_model()
            with time_limit(self._load_seconds):
                engine.load(model)
        except ModelUnavailable:
            raise
        except Exception as e:
            raise ModelUnavailable(f"the engine {name} cannot be loaded: {e}", "model_broken") from e
        settle()
        self.loads += 1
        seconds = time.monotonic() - started
        log.info(
            "loaded engine=%s model=%s in %.1f s, pid=%d loads=%d", name, model.name, seconds, os.getpid(), self.loads
        )
        return Loaded(engine, model, time.time())

    @property
    def since(self) -> float | None:
        """When the oldest model in memory was loaded, in seconds since 1970; None: no model is loaded."""
        return min((held.since for held in self._loaded.values()), default=None)

    @property
    def loaded(self) -> dict[str, Model]:
        """The models in memory, by name of their engine."""
        return {name: held.model for name, held in self._loaded.items()}

    def free(self) -> None:
        """Free all models; the next page loads its model again."""
        unsettle()
        while self._loaded:
            name, held = self._loaded.popitem()
            held.engine.free_resources()
            log.info("freed engine=%s model=%s, pid=%d", name, held.model.name, os.getpid())
