"""The settings of the engine `mlx-vlm`, read from the environment in the worker's parent and in its children."""

from dataclasses import dataclass, replace
from pathlib import Path

from marshmallow import validate

from ocrqueue.engines import ALL_PAGES, POOR_PAGES
from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.recipes import Recipe
from ocrqueue.models.settings import model_settings
from ocrqueue.settings import MANY, WEEK, choice, env, integer, read, shared, text, words


@dataclass(frozen=True, slots=True)
class MlxSettings:
    """The settings of the engine. An empty text, 0 or None means the default that its comment names."""

    model: str  # OCR_MODEL: NAME or NAME@REVISION in the model directory, or a folder's absolute path; empty: none
    model_dir: Path  # OCR_MODEL_DIR: the model directory
    trusted: tuple[str, ...]  # OCR_TRUSTED_MODELS: names of models whose own Python code may run
    prompt: str  # OCR_MLX_PROMPT; empty: the recipe's
    output: str  # OCR_MLX_OUTPUT: a name in PARSERS, by which answers are parsed; empty: the recipe's
    max_pixels: int  # OCR_MLX_MAX_PIXELS: size of the image that the model sees; 0: the recipe's
    max_tokens: int  # OCR_MLX_MAX_TOKENS: per page; generating is stopped at this number; 0: the recipe's
    batch: int  # OCR_MLX_BATCH: pages read at once, where the recipe allows more than one; 0: the recipe's
    cache_mb: int | None  # OCR_MLX_CACHE_MB: freed memory that MLX may keep for reuse; None: MLX's limit
    wired_mb: int | None  # OCR_MLX_WIRED_MB: memory that MLX may wire (macOS 15 or later); None: MLX's limit
    pages: str  # OCR_VLM_PAGES: the pages that `auto` gives it; see `ocrqueue.engines.pages_of`
    page_seconds: int  # OCR_PAGE_SECONDS: time limit of a page, after which the child is killed

    @property
    def model_name(self) -> str:
        """The model's name without revision and folder; part of the name of its queue."""
        return Path(self.model).name if self.model.startswith("/") else self.model.partition("@")[0]

    def adjusted(self, recipe: Recipe) -> Recipe:
        """The recipe with what these settings say instead."""
        task = next((task for task in recipe.tasks if task.output == self.output), None)
        prompt, max_pixels = (task.prompt, task.max_pixels) if task else ("", 0)
        doubled_below = task.doubled_below if task else recipe.doubled_below
        return replace(
            recipe,
            prompt=self.prompt or prompt or recipe.prompt,
            output=self.output or recipe.output,
            max_pixels=self.max_pixels or max_pixels or recipe.max_pixels,
            doubled_below=doubled_below,
            longest=None if self.max_pixels else recipe.longest,
            max_tokens=self.max_tokens or recipe.max_tokens,
            batch=(self.batch or recipe.batch) if recipe.batch > 1 else 1,
        )


def mlx_settings() -> MlxSettings:
    """Read the settings. Raises SettingsError if one is invalid."""
    name = r"[A-Za-z0-9][\w./@+-]*"
    return MlxSettings(
        model=text("OCR_MODEL", "", rf"/\S(.*\S)?|{name}", "a model's name, or the absolute path of its folder"),
        model_dir=model_settings(shared().data_dir).folder,
        trusted=words("OCR_TRUSTED_MODELS", (), name, "names of models, separated by commas"),
        prompt=read(env.str, "OCR_MLX_PROMPT", "", "any text"),
        output=choice("OCR_MLX_OUTPUT", "", tuple(PARSERS)),
        max_pixels=integer("OCR_MLX_MAX_PIXELS", 0, 0, 100_000_000),
        max_tokens=integer("OCR_MLX_MAX_TOKENS", 0, 0, 100_000),
        batch=integer("OCR_MLX_BATCH", 0, 0, 64),
        cache_mb=_megabytes("OCR_MLX_CACHE_MB"),
        wired_mb=_megabytes("OCR_MLX_WIRED_MB"),
        pages=choice("OCR_VLM_PAGES", ALL_PAGES, (ALL_PAGES, POOR_PAGES)),
        page_seconds=integer("OCR_PAGE_SECONDS", 300, 1, WEEK),
    )


def _megabytes(name: str) -> int | None:
    return read(env.int, name, None, f"a whole number, 0 to {MANY}", validate=validate.Range(0, MANY))
