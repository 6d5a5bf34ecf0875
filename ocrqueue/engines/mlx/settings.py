"""The settings of the engine `mlx-vlm`: the same in the worker's parent and in its children."""

from dataclasses import dataclass
from pathlib import Path

from marshmallow import validate

from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.models.settings import model_settings
from ocrqueue.settings import choice, env, integer, read, shared, text, words


@dataclass(frozen=True, slots=True)
class MlxSettings:
    """What `mlx-vlm` reads with, and what it may use."""

    model: str  # OCR_MODEL: NAME or NAME@REVISION in the model directory, or a folder's absolute path; empty: none
    model_dir: Path  # OCR_MODEL_DIR: where models lie
    trusted: tuple[str, ...]  # OCR_TRUSTED_MODELS: models whose own code may run
    prompt: str  # OCR_MLX_PROMPT: instead of the one that the table names; empty: the table's
    output: str  # OCR_MLX_OUTPUT: how its answer is to be understood; empty: as the table says
    max_pixels: int  # OCR_MLX_MAX_PIXELS: of a page as the model sees it; 0: the table's
    max_tokens: int  # OCR_MLX_MAX_TOKENS: a page that needs more is taken for a runaway
    batch: int  # OCR_MLX_BATCH: pages read at once; 0: the table's
    cache_mb: int | None  # OCR_MLX_CACHE_MB: freed memory that MLX may keep while it reads; None: its own limit
    wired_mb: int | None  # OCR_MLX_WIRED_MB: memory that MLX may wire (macOS 15 and later); None: its own limit
    page_seconds: int  # OCR_PAGE_SECONDS, after which the child would be ended

    @property
    def model_name(self) -> str:
        """The model's name without its revision or folder: what its queue is called after."""
        return Path(self.model).name if self.model.startswith("/") else self.model.partition("@")[0]


def mlx_settings() -> MlxSettings:
    """The settings, read now. Raises SettingsError."""
    name = r"[A-Za-z0-9][\w./@+-]*"
    return MlxSettings(
        model=text("OCR_MODEL", "", rf"/\S(.*\S)?|{name}", "a model's name, or the absolute path of its folder"),
        model_dir=model_settings(shared().data_dir).folder,
        trusted=words("OCR_TRUSTED_MODELS", (), name, "names of models, parted by commas"),
        prompt=read(env.str, "OCR_MLX_PROMPT", "", "any text"),
        output=choice("OCR_MLX_OUTPUT", "", tuple(PARSERS)),
        max_pixels=integer("OCR_MLX_MAX_PIXELS", 0, 0, 100_000_000),
        max_tokens=integer("OCR_MLX_MAX_TOKENS", 4096, 16, 100_000),
        batch=integer("OCR_MLX_BATCH", 0, 0, 64),
        cache_mb=_megabytes("OCR_MLX_CACHE_MB"),
        wired_mb=_megabytes("OCR_MLX_WIRED_MB"),
        page_seconds=integer("OCR_PAGE_SECONDS", 300, 1),
    )


def _megabytes(name: str) -> int | None:
    return read(env.int, name, None, "a whole number, 0 or more", validate=validate.Range(min=0))
