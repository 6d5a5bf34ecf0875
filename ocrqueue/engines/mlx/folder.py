"""A model's folder, looked at before it is loaded: which model it is, whether it is whole, whether it brings code.

mlx-vlm loads a folder without a word where a chat template or the image processor's settings are missing, and reads
worse ever after; and it runs the Python file that a config.json names, whatever it is told.
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

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
_SAMPLE = 65_536  # bytes of a file's beginning and of its end that tell one version of it from another


def find_model(settings: MlxSettings) -> Model:
    """The model that the settings name, and where it lies. Raises ModelUnavailable."""
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
    """Take a model of the directory into use: until it is released, it is not pruned. Raises ModelUnavailable."""
    try:
        return ModelStore(ModelSettings(settings.model_dir)).hold(name)
    except ModelDirectoryError as e:
        raise ModelUnavailable(e.message) from e


def folder_revision(folder: Path) -> str:
    """Twelve hexadecimal digits that tell this version of a plain folder from another, without reading all of it."""
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
    """How a model is used, by the type that its config.json names. Raises ModelUnavailable."""
    return recipe_for(str(_config(_folder_of(model)).get("model_type", "")), model.name)


def check_folder(model: Model, recipe: Recipe, trusted: tuple[str, ...]) -> Path:
    """The model's folder, if it can be loaded whole and brings no code. Raises ModelUnavailable."""
    folder = _folder_of(model)
    config = _config(folder)
    if config.get("model_file") and model.name not in trusted:
        raise ModelUnavailable(
            f"the model {model.name} brings code of its own ({config['model_file']}), which does not run here: use "
            "another model, or allow this one with OCR_TRUSTED_MODELS once you have read its code",
            "model_broken",
        )
    if problem := next(_problems(folder, config, recipe), None):
        raise broken(model, problem)
    return folder


def broken(model: Model, problem: str) -> ModelUnavailable:
    """What to say of a model that cannot be loaded as it is."""
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
