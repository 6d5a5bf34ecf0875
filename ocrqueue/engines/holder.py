"""The engines of one worker child: each loads its model once, on first use or at start."""

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
    """An engine whose model is in memory."""

    engine: Engine
    model: Model
    since: float  # seconds since 1970


class EngineHolder:
    """Loads engines as they are needed, and counts."""

    def __init__(self, served: Mapping[str, str], load_seconds: float) -> None:
        self._served = served  # engine name -> module:Class
        self._load_seconds = load_seconds
        self._loaded: dict[str, Loaded] = {}
        self.loads = 0  # models loaded since the process began
        self.last_used: float | None = None

    def get(self, name: str) -> Loaded:
        """The engine `name` with its model in memory. Raises ModelUnavailable."""
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
        """When the oldest model in memory was loaded, in seconds since 1970."""
        return min((held.since for held in self._loaded.values()), default=None)

    @property
    def loaded(self) -> dict[str, Model]:
        """The models in memory, by engine."""
        return {name: held.model for name, held in self._loaded.items()}

    def free(self) -> None:
        """Every engine gives its model back; the next page loads it again."""
        unsettle()
        while self._loaded:
            name, held = self._loaded.popitem()
            held.engine.free_resources()
            log.info("freed engine=%s model=%s, pid=%d", name, held.model.name, os.getpid())
