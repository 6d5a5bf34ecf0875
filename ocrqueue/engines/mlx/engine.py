"""The engine `mlx-vlm`: vision-language models from the model directory, run by MLX.

A child loads a model once, reads pages with it for hours, and frees all its memory. Nothing is downloaded, and code in
a model's folder does not run.
"""

import gc
import logging
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ocrqueue.engines import Model, installed
from ocrqueue.engines.mlx.folder import broken, check_folder, find_model, hold_model, recipe_of
from ocrqueue.engines.mlx.generation import (
    GREEDY,
    Answer,
    Bounds,
    LoadedModel,
    Sampling,
    Stop,
    generate_batch,
    generate_one,
)
from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.prompt import finished_prompt
from ocrqueue.engines.mlx.recipes import DEFAULT, Recipe
from ocrqueue.engines.mlx.settings import MlxSettings, mlx_settings
from ocrqueue.engines.mlx.view import View, fit_page
from ocrqueue.errors import EngineFreed, ModelUnavailable, PageError
from ocrqueue.models import Held
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.blas import preload_blas
from ocrqueue.process.cancellation import is_cancelled
from ocrqueue.process.memory import trim

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)
_SECOND_TRY = Sampling(temperature=0.4, seed=1)
_SMALLER = 0.6  # share of the first try's pixels that a page has at its second try
_MARGIN = 0.9  # share of the time limit after which a page is stopped; at the limit its child is killed
_PACKAGES = ("mlx", "mlx-vlm", "transformers", "tokenizers", "pillow", "numpy")  # their versions decide the text
_UNIT = 32  # pixels; sides of page images are multiples of it if the processor names no patch size


class MlxVlm:
    """Reads pages with a vision-language model. `load` imports the large libraries."""

    name = "mlx-vlm"

    def __init__(self, settings: MlxSettings | None = None) -> None:
        self._settings = settings or mlx_settings()
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
        self._set_limits()
        try:
            network, processor = mlx_vlm.load(str(folder), trust_remote_code=model.name in self._settings.trusted)
            prompt = finished_prompt(processor, str(network.config.model_type).lower(), self._recipe)
            self._loaded = LoadedModel(network, processor, prompt)
        except MemoryError:
            raise
        except Exception as e:  # noqa: BLE001 -- mlx-vlm raises many types of error for a damaged model
            raise broken(model, _reason(e)) from None

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
        limit = self._settings.page_seconds * _MARGIN * len(pages)
        bounds = Bounds(self._recipe.max_tokens, time.monotonic() + limit, is_cancelled)
        found: dict[int, PageText | PageError] = {}
        shown: dict[int, tuple[Image, View]] = {}
        for number, page in enumerate(pages):
            try:
                shown[number] = self._show(self._loaded, page, self._recipe.max_pixels)
            except Exception as e:  # noqa: BLE001 -- an error with one image fails its page only
                found[number] = PageError("engine_error", f"the page cannot be shown to the model: {_reason(e)}")
        answers = self._generate(self._loaded, [image for image, _ in shown.values()], bounds)
        for (number, (_, view)), first in zip(shown.items(), answers, strict=True):
            found[number] = self._finish(self._loaded, pages[number], view, first, bounds)
        return [found[number] for number in range(len(pages))]

    def _show(self, loaded: LoadedModel, page: "Image", max_pixels: int) -> "tuple[Image, View]":
        return fit_page(page, _unit(loaded.processor), max_pixels, self._recipe.buckets, self._recipe.longest)

    def _generate(self, loaded: LoadedModel, images: "list[Image]", bounds: Bounds) -> "list[Answer | Exception]":
        if len(images) > 1 and self.batch > 1:
            try:
                return list(generate_batch(loaded, images, bounds))
            except Exception as e:  # noqa: BLE001 -- an error of one page or of all; each is read alone next
                log.warning(
                    "%d pages could not be read in one batch (%s): they are read one by one", len(images), _reason(e)
                )
        return [self._generate_one(loaded, image, bounds, GREEDY) for image in images]

    def _generate_one(
        self, loaded: LoadedModel, image: "Image", bounds: Bounds, sampling: Sampling
    ) -> "Answer | Exception":
        try:
            return generate_one(loaded, image, bounds, sampling)
        except Exception as e:  # noqa: BLE001 -- an error of mlx-vlm fails this page only
            return e.with_traceback(None)  # a traceback holds the page's arrays

    def _finish(
        self, loaded: LoadedModel, page: "Image", view: View, answer: "Answer | Exception", bounds: Bounds
    ) -> PageText | PageError:
        """The text of a page. If it did not end, a second try uses fewer pixels and other sampling."""
        if isinstance(answer, Answer) and answer.stopped in (Stop.RUNAWAY, Stop.LENGTH):
            log.info("a page did not end (%s after %d tokens): second try", answer.stopped, len(answer.tokens))
            image, view = self._show(loaded, page, round(view.shown[0] * view.shown[1] * _SMALLER))
            answer = self._generate_one(loaded, image, bounds, _SECOND_TRY)
        if isinstance(answer, Exception):
            return PageError("engine_error", _reason(answer))
        if answer.stopped is None:
            return self._parse(loaded.text(answer.tokens), view)
        return self._error(answer)

    def _parse(self, answer: str, view: View) -> PageText:
        try:
            return PARSERS[self._recipe.output](answer, view).page
        except Exception:
            log.exception("an answer could not be parsed as %s: it is used as plain text", self._recipe.output)
            return PageText(text=answer.strip())

    def _error(self, answer: Answer) -> PageError:
        count = len(answer.tokens)
        if answer.stopped == Stop.CANCELLED:
            return PageError("cancelled", "the job was cancelled while this page was read")
        if answer.stopped == Stop.TIMEOUT:
            return PageError("timeout", f"the page took too long ({count} tokens so far): raise OCR_PAGE_SECONDS")
        if answer.stopped == Stop.LENGTH:
            what = f"did not end within {count} tokens, twice: raise OCR_MLX_MAX_TOKENS if the page is that long"
        else:
            what = f"repeated itself endlessly, twice (after {count} tokens): use another model or --dpi"
        return PageError("degenerate_output", f"the model {what}")

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


def _unit(processor: Any) -> int:
    """The pixels that sides of page images are multiples of: two of the squares that become one token each."""
    images = getattr(processor, "image_processor", None)
    patch, merge = getattr(images, "patch_size", None), getattr(images, "merge_size", 1)
    return 2 * patch * merge if isinstance(patch, int) and isinstance(merge, int) else _UNIT


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
