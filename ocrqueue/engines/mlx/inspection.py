"""What can be said of a model before it is loaded: type, recipe, missing files, memory, finished prompt."""

import contextlib
import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.checks import folder_problems, read_config
from ocrqueue.engines.mlx.folder import folder_of, known_by, load_error, refusal, unknown_type
from ocrqueue.engines.mlx.prompt import finished_prompt
from ocrqueue.engines.mlx.reading import reason
from ocrqueue.engines.mlx.recipes import DEFAULT, Recipe
from ocrqueue.engines.mlx.settings import MlxSettings
from ocrqueue.engines.mlx.weights import weight_bytes
from ocrqueue.errors import ModelUnavailable
from ocrqueue.models.files.atomic import is_size
from ocrqueue.process.machine import usable_memory

# Bytes; a guess from one report, not measured: a user's peak of 9.2 GB with dots.mocr in BF16, whose weights have
# 6.1 GB, divided by pages of 4 megapixels. The size of that user's pages is not known.
_PER_PIXEL = 800
_PER_IMAGE_TOKEN = 28 * 28  # pixels of the usual square that becomes one token
_BYTES = 2  # of a number in the memory of tokens (BF16)
_TEXT_CONFIGS = ("text_config", "language_config", "llm_config", "thinker_config")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a model. Sizes are in bytes."""

    name: str
    path: Path  # folder with its files
    model_type: str  # as in config.json
    label: str  # `Known.label` of the recipe; empty: it is the general one
    recipe: Recipe  # with what the settings say instead
    damage: tuple[str, ...]  # files that are missing or damaged
    refused: tuple[str, ...]  # other reasons why the model cannot be used, with what to do
    weights: int  # all weights
    needed: int  # estimate: weights, memory of the tokens, and the page while it is seen
    machine: int  # memory of this machine; 0 if it is not known
    prompt: str | None  # finished prompt; None: see `prompt_missing`
    prompt_missing: str = ""  # why there is no finished prompt

    @property
    def usable(self) -> bool:
        """Whether nothing is known that keeps the model from being used."""
        return not self.damage and not self.refused

    def to_json(self) -> dict[str, Any]:
        """All fields, and `usable`, as a JSON object."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return {**found, "usable": self.usable}


def inspect_model(model: Model, settings: MlxSettings) -> Inspection:
    """Look at a model's files; only its tokenizer and processor are loaded, if mlx-vlm is installed.

    Raises ModelUnavailable if the folder has no readable config.json.
    """
    assert model.path is not None
    config = read_config(model.path)
    known = known_by(config, model.name)
    recipe = settings.adjusted(known.recipe if known else DEFAULT)
    damage = tuple(folder_problems(model.path, config, recipe))
    refused = refusal(model.name, config, recipe, settings.trusted)
    prompt, missing = None, "correct the errors first"
    if not damage and not refused:
        prompt, missing, refused = _prompt(model, config, recipe, model.name in settings.trusted)
    weights, machine = weight_bytes(model.path), usable_memory()
    too_large = "its weights are larger than this machine's memory: use a smaller or quantised model"
    return Inspection(
        name=model.name,
        path=model.path,
        model_type=str(config.get("model_type", "")),
        label=known.label if known else "",
        recipe=recipe,
        damage=damage,
        refused=tuple(filter(None, (refused, too_large if 0 < machine < weights else ""))),
        weights=weights,
        needed=weights + max(1, recipe.batch) * _page_bytes(config, recipe),
        machine=machine,
        prompt=prompt,
        prompt_missing=missing,
    )


def _prompt(model: Model, config: dict[str, Any], recipe: Recipe, trust: bool) -> tuple[str | None, str, str]:
    """(finished prompt, why there is none, why the model cannot be used)."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    try:
        from mlx_vlm.utils import load_processor
    except ImportError as e:
        return None, f"mlx-vlm cannot be imported here ({e}): `make setup MLX=1`", ""
    with _quiet():
        if unknown := unknown_type(config):
            return None, "", unknown
        try:
            processor = load_processor(model.path, False, trust_remote_code=trust)
            return finished_prompt(processor, str(config["model_type"]).lower(), recipe), "", ""
        except ModelUnavailable as e:
            return None, "correct the errors first", e.message
        except Exception as e:  # noqa: BLE001 -- processors of many types raise many types of error
            cause = reason(load_error(e, folder_of(model), trust))
            return None, "", f"its processor cannot be loaded ({cause}): fetch the model again, or use another one"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what libraries print and log: some of mlx-vlm's processors print as they are loaded."""
    logging.disable()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _page_bytes(config: dict[str, Any], recipe: Recipe) -> int:
    """Estimate of what one page needs: keys and values of all its tokens, and the page while it is seen."""
    pixels = recipe.longest**2 if recipe.longest else recipe.max_pixels
    text = next((config[key] for key in _TEXT_CONFIGS if isinstance(config.get(key), dict)), config)
    text = {**config, **text}
    try:
        heads = int(text["num_attention_heads"])
        width = int(text.get("head_dim") or int(text["hidden_size"]) // heads)
        per_token = 2 * int(text["num_hidden_layers"]) * int(text.get("num_key_value_heads") or heads) * width * _BYTES
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        per_token = 0
    per_token = per_token if is_size(per_token) else 0
    return per_token * (recipe.max_tokens + pixels // _PER_IMAGE_TOKEN) + _PER_PIXEL * pixels
