"""The settings of the model directory, read from the environment; workers and the command line must agree on them."""

import os
from dataclasses import dataclass
from pathlib import Path

from ocrqueue.settings import choice, env, folder, integer, read, words

GB = 10**9


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How a model directory is kept."""

    folder: Path  # the one folder that models live in
    prune: str = "trash"  # "trash" moves what is prunable, "report" only reports
    old_prefixes: tuple[str, ...] = ("old_",)  # a model whose name begins so is old
    unused_days: int = 90  # a model not loaded for so long is unused
    max_bytes: int | None = None  # of all models; None: no limit
    trash_days: int = 7  # what was pruned can be restored for so long
    wanted: str | None = None  # the model that workers load, NAME or NAME@REVISION


def model_settings(data_dir: Path) -> ModelSettings:
    """The settings, read now. Raises SettingsError."""
    where = folder("OCR_MODEL_DIR", data_dir / "models")
    prune = choice("OCR_PRUNE", "auto", ("auto", "trash", "report"))
    if prune == "auto":
        prune = "report" if is_shared_cache(where) else "trash"
    return ModelSettings(
        folder=where,
        prune=prune,
        old_prefixes=words("OCR_OLD_PREFIXES", ("old_",), r"[^,/]+", "beginnings of names, parted by commas"),
        unused_days=integer("OCR_MODEL_UNUSED_DAYS", 90, 1),
        max_bytes=integer("OCR_MODEL_DIR_MAX_GB", 0, 0) * GB or None,
        trash_days=integer("OCR_TRASH_DAYS", 7, 0),
        wanted=read(env.str, "OCR_MODEL", None, "the name of a model"),
    )


def is_shared_cache(where: Path) -> bool:
    """Whether a folder is the cache that every Hugging Face tool of this user shares.

    Source of the variables: huggingface_hub's documentation of its environment variables.
    """
    given = os.environ.get
    caches = Path(given("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = Path(given("HF_HOME") or caches / "huggingface")
    named = [given("HF_HUB_CACHE"), given("HUGGINGFACE_HUB_CACHE"), str(home / "hub")]
    named += [str(Path("~/.cache/huggingface/hub"))]
    real = os.path.realpath(where)
    return any(real == os.path.realpath(Path(cache).expanduser()) for cache in named if cache)
