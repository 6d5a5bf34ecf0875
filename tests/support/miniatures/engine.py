"""The engine `mlx-vlm` for miniatures. A worker serves many at once: `NAME=tests.support.miniatures.engine:NAME`."""

import re
from dataclasses import replace
from functools import cache

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.engines.mlx.settings import mlx_settings
from ocrqueue.process.blas import preload_blas
from tests.support.miniatures import FAMILIES
from tests.support.miniatures.shrink import shrink


class Miniature(MlxVlm):
    """Reads with one model of the model directory, whatever OCR_MODEL names."""

    family = ""  # name of the model

    def __init__(self, **changes: object) -> None:
        settings = replace(mlx_settings(), model=self.family, **{"trusted": (self.family,), **changes})  # type: ignore[arg-type]
        super().__init__(settings)

    def load(self, model: Model) -> None:
        """Make small what the model's folder cannot; then load as usual."""
        preload_blas()
        shrink()
        super().load(model)


@cache
def engine_for(family: str) -> type[Miniature]:
    """The engine's class for a model."""
    return type("Miniature", (Miniature,), {"family": family, "name": engine_name(family)})


def engine_name(family: str) -> str:
    """The name of the engine, which may hold letters, digits and dashes only."""
    return re.sub("[^a-z0-9]+", "-", family.lower())


def served(families: tuple[str, ...] = tuple(FAMILIES)) -> str:
    """These models as OCR_WORKER_ENGINES names them."""
    return ",".join(f"{engine_name(f)}={__name__}:{_attribute(f)}" for f in families)


def _attribute(family: str) -> str:
    return engine_name(family).replace("-", "_")


def __getattr__(name: str) -> type[Miniature]:
    for family in FAMILIES:
        if _attribute(family) == name:
            return engine_for(family)
    raise AttributeError(name)
