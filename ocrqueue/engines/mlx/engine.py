"""The engine `mlx-vlm`: vision-language models from the model directory, run by MLX.

A child loads a model once, reads pages with it for hours, and frees all its memory. Nothing is downloaded, and code in
a model's folder does not run.
"""

import gc
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ocrqueue.engines import Model, installed
from ocrqueue.engines.mlx import NAME
from ocrqueue.engines.mlx.answer import Bounds
from ocrqueue.engines.mlx.checks import read_config
from ocrqueue.engines.mlx.folder import (
    broken,
    check_folder,
    find_model,
    hold_model,
    load_error,
    recipe_of,
    unknown_type,
)
from ocrqueue.engines.mlx.generation import LoadedModel
from ocrqueue.engines.mlx.prompt import finished_prompt, prepare_tokenizer
from ocrqueue.engines.mlx.reading import PageReader, reason
from ocrqueue.engines.mlx.recipes import DEFAULT, Recipe
from ocrqueue.engines.mlx.settings import MlxSettings, mlx_settings
from ocrqueue.errors import EngineFreed, ModelUnavailable, PageError
from ocrqueue.models import Held
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.blas import preload_blas
from ocrqueue.process.cancellation import is_cancelled
from ocrqueue.process.memory import trim

if TYPE_CHECKING:
    from PIL.Image import Image

_MARGIN = 0.9  # share of the time limit after which a page is stopped; at the limit its child is killed
_PACKAGES = ("mlx", "mlx-vlm", "transformers", "tokenizers", "pillow", "numpy")  # their versions decide the text


class MlxVlm:
    """Reads pages with a vision-language model. `load` imports the large libraries."""

    name = NAME

    def __init__(self, settings: MlxSettings | None = None) -> None:
        self._settings = settings or mlx_settings()
        self.pages = self._settings.pages  # see `ocrqueue.engines.pages_of`
        self._loaded: LoadedModel | None = None
        self._found: Model | None = None
        self._held: Held | None = None
        self._use(DEFAULT)

    def _use(self, recipe: Recipe) -> None:
        self._recipe = self._settings.adjusted(recipe)
        self.batch = self._recipe.batch
        self.dpi = self._recipe.dpi

    def default_model(self) -> Model:
        """The model that OCR_MODEL names. Raises ModelUnavailable if there is none."""
        if self._found is None or not (self._found.path and self._found.path.is_dir()):
            found = find_model(self._settings)
            self._use(recipe_of(found))
            self._found = found
        return self._found

    def fingerprint(self) -> str:
        """The recipe (known after `default_model`), trusted models, and versions of packages."""
        return repr((self._recipe, self._settings.trusted, *map(installed, _PACKAGES)))

    def load(self, model: Model) -> None:
        """Load a model from its folder. Raises ModelUnavailable if that is not possible, and frees what was loaded."""
        self.free_resources()
        self._use(recipe_of(model))
        if not self._settings.model.startswith("/"):
            self._held = hold_model(self._settings, self._settings.model)
        try:
            self._load(model)
        except BaseException:
            self.free_resources()
            raise
        gc.collect()
        gc.freeze()  # later collections skip the objects that exist now, because they stay until the model is freed

    def _load(self, model: Model) -> None:
        folder = check_folder(model, self._recipe, self._settings.trusted)
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
        preload_blas()
        try:
            import mlx_vlm
        except ImportError as e:
            raise ModelUnavailable(
                f'mlx-vlm cannot be imported ({e}): `make setup MLX=1`, or pip install "ocrqueue[mlx]"'
            ) from e
        if unknown := unknown_type(read_config(folder)):
            raise ModelUnavailable(f"the model {model.name} cannot be loaded: {unknown}", "model_broken")
        self._set_limits()
        trust = model.name in self._settings.trusted
        try:
            network, processor = mlx_vlm.load(str(folder), trust_remote_code=trust)
            prepare_tokenizer(processor, self._recipe)
            prompt = finished_prompt(processor, str(network.config.model_type).lower(), self._recipe)
            self._loaded = LoadedModel(network, processor, prompt)
        except (MemoryError, ModelUnavailable):
            raise
        except Exception as e:  # noqa: BLE001 -- mlx-vlm raises many types of error for a damaged model
            raise broken(model, reason(load_error(e, folder, trust))) from None

    def _set_limits(self) -> None:
        import mlx.core as mx

        if self._settings.cache_mb is not None:
            mx.set_cache_limit(self._settings.cache_mb * 2**20)
        if self._settings.wired_mb is not None and mx.metal.is_available():
            mx.set_wired_limit(self._settings.wired_mb * 2**20)

    def read(self, pages: "Sequence[Image]", options: Options) -> list[PageText | PageError]:  # noqa: ARG002
        """Read upright RGB page images; one result for each, in order. Raises EngineFreed after `free_resources`."""
        if self._loaded is None:
            raise EngineFreed("mlx-vlm has no model loaded: call load() before read()")
        import mlx.core as mx

        mx.reset_peak_memory()
        deadline = time.monotonic() + self._settings.page_seconds * _MARGIN * len(pages)
        bounds = Bounds(self._recipe.max_tokens, deadline, is_cancelled, self._recipe.stops)
        return PageReader(self._loaded, self._recipe, bounds).read(pages)

    def free_resources(self) -> None:
        """Free the model: memory, the cache of MLX, and the mark that it is in use. `load` loads it again."""
        self._loaded = None
        gc.unfreeze()
        if self._held is not None:
            self._held.release()
            self._held = None
        if structured := sys.modules.get("mlx_vlm.structured"):
            getattr(structured, "_llg_tokenizer_cache", {}).clear()  # it holds tokenizers by id and is never cleared
        mlx = sys.modules.get("mlx.core")
        if mlx is not None:
            gc.collect()
            mlx.clear_cache()
        trim()
