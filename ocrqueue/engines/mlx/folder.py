"""Finds a model's folder, and says whether it may be loaded.

Nothing in the folder runs. mlx-vlm imports the Python file that `model_file` in config.json names, and for some types
that of the tokenizer, so such models are refused.
"""

import hashlib
import re
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import Any

from ocrqueue.engines import Model, installed
from ocrqueue.engines.mlx.checks import folder_problems, read_config
from ocrqueue.engines.mlx.recipes import DEFAULT, Known, Recipe, find_known
from ocrqueue.engines.mlx.settings import MlxSettings
from ocrqueue.errors import ModelDirectoryError, ModelUnavailable
from ocrqueue.models import Held, ModelStore
from ocrqueue.models.settings import ModelSettings

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
    known = known_by(read_config(folder_of(model)), model.name)
    return known.recipe if known else DEFAULT


def known_by(config: dict[str, Any], name: str) -> Known | None:
    """The entry of the table of recipes for a model with this config.json and name; None if there is none."""
    named = config.get("architectures")
    architectures = [str(one) for one in named] if isinstance(named, list) else []
    return find_known(str(config.get("model_type", "")), name, architectures)


def check_folder(model: Model, recipe: Recipe, trusted: tuple[str, ...]) -> Path:
    """Return the model's folder. Raises ModelUnavailable if files are missing or damaged, or code of it would run.

    Code is allowed for models named in `trusted`.
    """
    folder = folder_of(model)
    config = read_config(folder)
    if reason := refusal(model.name, config, recipe, trusted):
        raise ModelUnavailable(reason, "model_broken")
    if problem := next(folder_problems(folder, config, recipe), None):
        raise broken(model, problem)
    return folder


def refusal(name: str, config: dict[str, Any], recipe: Recipe, trusted: tuple[str, ...]) -> str:
    """Why a model is not loaded although its files are complete, and what to do; empty if it may be loaded."""
    if recipe.refused:
        return f"the model {name} cannot be used: {recipe.refused}"
    if name in trusted:
        return ""
    allow = f"allow this one with OCR_TRUSTED_MODELS={name} once you have read its code"
    if config.get("model_file"):
        return (
            f"the model {name} contains code ({config['model_file']}), which is not run: use another model, or {allow}"
        )
    if recipe.runs_code:
        return (
            f"mlx-vlm runs Python code that comes with models of the type {config.get('model_type')}, so {name} is "
            f"refused: use another model, or {allow}"
        )
    return ""


def unknown_type(config: dict[str, Any]) -> str:
    """Why mlx-vlm cannot load this type of model, and what to do; empty if it can. Raises ImportError without it."""
    from mlx_vlm.utils import get_model_and_args

    try:
        get_model_and_args(config)
    except (ValueError, ImportError):
        kind, version = config.get("model_type"), installed("mlx-vlm")
        return f"mlx-vlm {version} does not know the type {kind}: update mlx-vlm, or use another model"
    return ""


def broken(model: Model, problem: str) -> ModelUnavailable:
    """The error for a model that cannot be loaded, with the command that repairs it."""
    advice = (
        f"fetch it again with `submit.py models pull {model.name}`, or put the whole folder in its place; "
        f"`submit.py models check {model.path}` checks it"
    )
    return ModelUnavailable(f"the model {model.name} cannot be loaded: {problem}; {advice}", "model_broken")


def load_error(error: Exception, folder: Path, trust: bool) -> Exception:
    """Why mlx-vlm could not load a folder, if it raised `error`. `trust`: code in the folder may run.

    If the processor of a type fails, mlx-vlm drops its error, tries transformers' `AutoProcessor`, and raises what that
    says. So the type's own processor is tried again.
    """
    if "load_processor" not in {frame.name for frame in traceback.extract_tb(error.__traceback__)}:
        return error
    for processor in _own_processors(folder):
        try:
            processor.from_pretrained(str(folder), trust_remote_code=trust)
        except Exception as e:  # noqa: BLE001 -- processors of many types raise many types of error
            return e
    return error


def _own_processors(folder: Path) -> list[Any]:
    """The processors that mlx-vlm defines for the type of a folder; it has imported them."""
    from mlx_vlm.utils import get_model_and_args

    package = get_model_and_args(read_config(folder))[0].__name__
    modules = [module for name, module in sys.modules.items() if name.startswith(f"{package}.")]
    return [
        found
        for module in modules
        for name, found in vars(module).items()
        if re.search("(?<!Image)(?<!Video)Processor$", name) and found.__module__ == module.__name__
    ]


def folder_of(model: Model) -> Path:
    """The model's folder. Raises ModelUnavailable if it is gone."""
    if model.path is None or not model.path.is_dir():
        raise ModelUnavailable(f"the folder of the model {model.name} is gone: fetch it again, or name another model")
    return model.path
