"""The settings of the model directory, from environment variables. All workers and commands need the same values."""

import os
from dataclasses import dataclass
from pathlib import Path

from ocrqueue.settings import CENTURY, MOST_GB, choice, env, folder, integer, read, words

GB = 10**9


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The settings of a model directory."""

    folder: Path  # OCR_MODEL_DIR: contains all models
    prune: str = "trash"  # OCR_PRUNE: "trash" moves prunable models to the trash, "report" only reports them
    old_prefixes: tuple[str, ...] = ("old_",)  # OCR_OLD_PREFIXES: models whose name begins with one of these are old
    unused_days: int = 90  # OCR_MODEL_UNUSED_DAYS: a model not loaded for so many days is unused
    max_bytes: int | None = None  # OCR_MODEL_DIR_MAX_GB in bytes: size limit of all models; None: no limit
    trash_days: int = 7  # OCR_TRASH_DAYS: an entry of the trash is deleted after so many days
    wanted: str | None = None  # OCR_MODEL: the model that workers load, NAME, NAME@REVISION or the path of a folder


def model_settings(data_dir: Path) -> ModelSettings:
    """Read the settings. `data_dir` contains the model directory if OCR_MODEL_DIR is not set. Raises SettingsError."""
    where = folder("OCR_MODEL_DIR", data_dir / "models")
    prune = choice("OCR_PRUNE", "auto", ("auto", "trash", "report"))
    if prune == "auto":
        prune = "report" if is_shared_cache(where) else "trash"
    return ModelSettings(
        folder=where,
        prune=prune,
        old_prefixes=words("OCR_OLD_PREFIXES", ("old_",), r"[^,/]+", "prefixes of names, separated by commas"),
        unused_days=integer("OCR_MODEL_UNUSED_DAYS", 90, 1, CENTURY),
        max_bytes=integer("OCR_MODEL_DIR_MAX_GB", 0, 0, MOST_GB) * GB or None,
        trash_days=integer("OCR_TRASH_DAYS", 7, 0, CENTURY),
        wanted=read(env.str, "OCR_MODEL", None, "the name of a model"),
    )


def is_shared_cache(where: Path) -> bool:
    """Whether a folder is the cache that all Hugging Face tools of this user share.

    Source of the variables: the documentation of huggingface_hub, "Environment variables".
    """
    given = os.environ.get
    caches = Path(given("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = Path(given("HF_HOME") or caches / "huggingface")
    named = [given("HF_HUB_CACHE"), given("HUGGINGFACE_HUB_CACHE"), str(home / "hub")]
    named += [str(Path("~/.cache/huggingface/hub"))]
    real = os.path.realpath(where)
    return any(real == os.path.realpath(Path(cache).expanduser()) for cache in named if cache)
