"""Engines with their model loaded, for scripts that read pages without a queue."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ocrqueue.engines import ENGINES, Engine, Model, engine_class
from ocrqueue.engines.rapidocr.engine import ENVIRONMENT
from tests.support import tiny

if TYPE_CHECKING:
    from ocrqueue.engines.mlx.engine import MlxVlm

# A worker's child loads its engine before it imports NumPy, and so do these; else threads of NumPy would wait actively,
# and their time would count.
for variable in ENVIRONMENT:
    os.environ.setdefault(variable, "1")


def rapidocr() -> tuple[Engine, Model]:
    """The engine `rapidocr` and its model, which is loaded."""
    engine = loaded("rapidocr")
    return engine, engine.default_model()


def loaded(name: str) -> Engine:
    """An engine with its default model loaded."""
    engine: Engine = engine_class(ENGINES[name])()
    engine.load(engine.default_model())
    return engine


def mlx_vlm(folder: Path = tiny.FOLDER) -> "MlxVlm":
    """The engine `mlx-vlm` with the model of a folder loaded; without one the tiny model of the tests."""
    from ocrqueue.engines.mlx.engine import MlxVlm

    os.environ |= {"OCR_MODEL": str(folder), "OCR_MLX_PROMPT": tiny.PROMPT}
    engine = MlxVlm()
    engine.load(engine.default_model())
    return engine
