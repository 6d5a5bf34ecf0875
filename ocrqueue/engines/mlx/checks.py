"""What is wrong with a model's folder, before anything of it is loaded.

The checks are needed because mlx-vlm loads a folder without a chat template or image processor settings without an
error, and then reads worse. Which files a folder must have says the recipe, because types differ.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocrqueue.engines.mlx.recipes import Recipe
from ocrqueue.engines.mlx.weights import embedding_rows, weight_problems
from ocrqueue.errors import ModelUnavailable

_TEMPLATES = (
    "chat_template.jinja|chat_template.json|tokenizer_config.json:chat_template|processor_config.json:chat_template"
)


def folder_problems(folder: Path, config: dict[str, Any], recipe: Recipe) -> Iterator[str]:
    """Each problem as one clause: files that are missing or damaged, and a tokenizer of another model.

    `config` is the content of config.json. Raises ModelUnavailable if a file with settings is damaged.
    """
    if not isinstance(config.get("model_type"), str) or not config["model_type"]:
        yield "config.json names no model_type"
    if not isinstance(config.get("architectures") or [], list):
        yield "architectures in config.json is not a list"
    wanted = (*recipe.files, _TEMPLATES) if recipe.template else recipe.files
    for alternatives in wanted:
        if not any(_has(folder, one) for one in alternatives.split("|")):
            yield f"{alternatives.partition('|')[0]} is missing"
    template = folder / "chat_template.jinja"  # it is used even if another file has a template, too
    if recipe.template and template.is_file() and not template.stat().st_size:
        yield f"{template.name} is empty"
    damaged = list(weight_problems(folder))
    yield from damaged
    if not damaged and (problem := _tokenizer_problem(folder)):
        yield problem


def read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json. Raises ModelUnavailable if it is missing or damaged."""
    path = folder / "config.json"
    if not path.is_file():
        raise ModelUnavailable(
            f"{folder} holds no model: its config.json is missing; fetch the model with `submit.py models pull`",
            "model_broken",
        )
    return _json(path)


def _has(folder: Path, wanted: str) -> bool:
    """Whether a file is there: "file", or "file:key" for a key in a JSON file."""
    name, _, key = wanted.partition(":")
    path = folder / name
    return path.is_file() and (not key or key in _json(path))


def _tokenizer_problem(folder: Path) -> str | None:
    """The tokenizer has far fewer tokens than the weights: the first conversions of PaddleOCR-VL had three tokens.

    Source: issue 817 of mlx-vlm. Weights have some more rows than there are tokens in many good models.
    """
    path, rows = folder / "tokenizer.json", embedding_rows(folder)
    if not rows or not path.is_file():
        return None
    tokens = _tokens(_json(path))
    if tokens and tokens < rows / 2:
        return f"tokenizer.json knows {tokens:,} tokens, the weights {rows:,}: it belongs to another model"
    return None


def _tokens(tokenizer: dict[str, Any]) -> int:
    """The number of tokens in a tokenizer.json; 0 if its layout is not known."""
    model, added = tokenizer.get("model"), tokenizer.get("added_tokens") or []
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict | list) or not isinstance(added, list):
        return 0
    contents = [str(token.get("content")) for token in added if isinstance(token, dict)]
    return len(vocabulary) + sum(1 for one in contents if isinstance(vocabulary, list) or one not in vocabulary)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise ModelUnavailable(f"{path} cannot be read ({e}): fetch the model again", "model_broken") from e
    if not isinstance(value, dict):
        raise ModelUnavailable(f"{path} is damaged: fetch the model again", "model_broken")
    return value
