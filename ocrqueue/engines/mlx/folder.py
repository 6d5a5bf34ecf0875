"""Checks a model's folder before it is loaded: which model it is, whether files are missing, whether it contains code.

The checks are needed because mlx-vlm loads a folder without a chat template or image processor settings without an
error, and then reads worse; and it always runs the Python file that `model_file` in config.json names.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.recipes import Recipe, recipe_for
from ocrqueue.engines.mlx.settings import MlxSettings
from ocrqueue.errors import ModelDirectoryError, ModelUnavailable
from ocrqueue.models import Held, ModelStore
from ocrqueue.models.files.checks import safetensors_problem
from ocrqueue.models.settings import ModelSettings

# Any one of these files holds the tokenizer.
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
_SAMPLE = 65_536  # bytes at the beginning and at the end of a file that are hashed to detect a change


def find_model(settings: MlxSettings) -> Model:
    """The model that the settings name, with its folder. Raises ModelUnavailable if there is none."""
    if not settings.model:
        raise ModelUnavailable("mlx-vlm has no model: set OCR_MODEL to one that `submit.py models list` shows")
    if settings.model.startswith("/"):
        folder = Path(settings.model)
        if not folder.is_dir():
            raise ModelUnavailable(f"there is no folder {folder}: set OCR_MODEL to a model's name or folder")
        return Model(folder.name, folder_revision(folder), folder)
    with hold_model(settings, settings.model) as held:
        return Model(held.name, held.revision, held.path)


def hold_model(settings: MlxSettings, name: str) -> Held:
    """Mark a model of the model directory as in use, so that it is not pruned until it is released.

    Raises ModelUnavailable if it is not there.
    """
    try:
        return ModelStore(ModelSettings(settings.model_dir)).hold(name)
    except ModelDirectoryError as e:
        raise ModelUnavailable(e.message) from e


def folder_revision(folder: Path) -> str:
    """A revision for a folder outside the model directory: 12 hexadecimal digits.

    It is the beginning of a SHA-256 of names, sizes, and the beginnings and ends of all files. Weights are too large
    to be read completely.
    """
    files = tuple(
        (str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and (stat := path.stat())
    )
    return _folder_revision(folder, files)


@cache
def _folder_revision(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, size, _ in files:
        digest.update(f"{name}\0{size}\0".encode())
        with (folder / name).open("rb") as stream:
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()[:12]


def recipe_of(model: Model) -> Recipe:
    """The recipe for a model, by the type in its config.json. Raises ModelUnavailable if that cannot be read."""
    return recipe_for(str(_config(_folder_of(model)).get("model_type", "")), model.name)


def check_folder(model: Model, recipe: Recipe, trusted: tuple[str, ...]) -> Path:
    """Return the model's folder. Raises ModelUnavailable if files are missing or damaged, or it contains code.

    Code is allowed for models named in `trusted`.
    """
    folder = _folder_of(model)
    config = _config(folder)
    if config.get("model_file") and model.name not in trusted:
        raise ModelUnavailable(
            f"the model {model.name} contains code ({config['model_file']}), which is not run: use "
            "another model, or allow this one with OCR_TRUSTED_MODELS once you have read its code",
            "model_broken",
        )
    if problem := next(_problems(folder, config, recipe), None):
        raise broken(model, problem)
    return folder


def broken(model: Model, problem: str) -> ModelUnavailable:
    """The error for a model that cannot be loaded, with the command that repairs it."""
    advice = f"fetch it again with `submit.py models pull {model.name}`, or put the whole folder in its place"
    return ModelUnavailable(f"the model {model.name} cannot be loaded: {problem}; {advice}", "model_broken")


def _folder_of(model: Model) -> Path:
    if model.path is None or not model.path.is_dir():
        raise ModelUnavailable(f"the folder of the model {model.name} is gone: fetch it again, or name another model")
    return model.path


def _problems(folder: Path, config: dict[str, Any], recipe: Recipe) -> Iterator[str]:
    if not config.get("model_type"):
        yield "its config.json names no model_type"
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        yield f"it has no tokenizer ({_TOKENIZERS[0]})"
    for name in ("tokenizer_config.json", "preprocessor_config.json"):
        if not (folder / name).is_file() and not (name.startswith("pre") and "image_processor" in _processor(folder)):
            yield f"{name} is missing"
    if recipe.template and not _has_template(folder):
        yield "its chat template is missing (chat_template.jinja)"
    yield from _weight_problems(folder)


def _weight_problems(folder: Path) -> Iterator[str]:
    index = folder / "model.safetensors.index.json"
    wanted = set(_json(index).get("weight_map", {}).values()) if index.exists() else set()
    there = {path.name: path for path in folder.glob("*.safetensors")}
    yield from (f"{name} is missing" for name in sorted(wanted - there.keys()))
    if not there:
        yield "it has no weights (model.safetensors)"
    for name, path in sorted(there.items()):
        if problem := safetensors_problem(str(path), path.stat().st_size):
            yield f"{name}: {problem}"


def _has_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    return "chat_template" in _json(folder / "tokenizer_config.json") or "chat_template" in _processor(folder)


def _processor(folder: Path) -> dict[str, Any]:
    path = folder / "processor_config.json"
    return _json(path) if path.is_file() else {}


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ModelUnavailable(f"{folder} holds no model: its config.json is missing", "model_broken")
    return _json(path)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise ModelUnavailable(f"{path} cannot be read ({e}): fetch the model again", "model_broken") from e
    if not isinstance(value, dict):
        raise ModelUnavailable(f"{path} is damaged: fetch the model again", "model_broken")
    return value
