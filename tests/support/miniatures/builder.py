"""Builds the folder of a miniature: a model of a known type that is very small, with random weights.

mlx-vlm's own classes make the network from a shrunk config.json. The weights are random, from a fixed seed, except for
one thing: the decoder's layers add nothing to the residual stream, and the head maps each token to the next one of the
answer. So the model writes a known answer after every prompt, and ends it with the family's stop token.
"""

import json
import re
from collections.abc import Mapping
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.support.miniatures.family import Family
from tests.support.miniatures.shrink import shrink
from tests.support.miniatures.tokens import write_tokenizer

_SCALE = 0.2  # standard deviation of random weights other than embeddings
_SURE = 4  # factor of the head, so that random choices at high temperatures follow the script too
_LARGE = 1_000_000  # numbers in a tensor that is stored as float16


class Script(Enum):
    """What the model writes after every prompt."""

    ANSWER = "answer"  # the family's answer, and its stop token
    LOOP = "loop"  # the answer, then all of it but its first token again and again; the second choice is to stop
    NONE = "none"  # all weights are random


def build(family: Family, folder: Path, script: Script = Script.ANSWER) -> Path:
    """Write the model into a new folder, and return the folder."""
    folder.mkdir(parents=True)
    ids = write_tokenizer(family, folder)
    config = family.config(ids.__getitem__, max(_all_ids(folder)) + 1)
    for name, content in {"config.json": config, **family.files}.items():
        (folder / name).write_text(json.dumps(content))
    if family.template is not None:
        (folder / "chat_template.jinja").write_text(family.template)
    weights = _weights(json.loads((folder / "config.json").read_text()))
    if script != Script.NONE:
        _follow(script, family, weights, ids)
    _save({_authors_name(family, name): value for name, value in weights.items()}, folder)
    return folder


def _all_ids(folder: Path) -> list[int]:
    content = json.loads((folder / "tokenizer.json").read_text())
    return [*content["model"]["vocab"].values(), *(token["id"] for token in content["added_tokens"])]


def _weights(config: dict[str, Any]) -> dict[str, Any]:
    """Random weights for a config.json, by name."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    shrink()
    mx.random.seed(7)
    return {name: _random(name, value) for name, value in tree_flatten(_network(config).parameters())}


def _authors_name(family: Family, name: str) -> str:
    """The name of a weight in the authors' own folder, if users load that one; else in a conversion, as mlx-vlm's."""
    for pattern, replacement in family.names:
        name = re.sub(pattern, replacement, name)
    return name


def _save(weights: dict[str, Any], folder: Path) -> None:
    import mlx.core as mx

    weights.pop("", None)  # what the authors' folder has not
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})


def _network(config: dict[str, Any]) -> Any:
    """The network for a config.json, made as `mlx_vlm.utils.load_model` makes it."""
    from mlx_vlm.utils import get_model_and_args, update_module_configs

    made, _ = get_model_and_args(config)
    config.setdefault("text_config", config.pop("llm_config", {}))
    config.setdefault("vision_config", {})
    config.setdefault("audio_config", {})
    settings = made.ModelConfig.from_dict(config)
    modules = ["text", "vision", "perceiver", "projector", "audio"]
    return made.Model(update_module_configs(settings, made, config, modules))


def _random(name: str, value: Any) -> Any:
    import mlx.core as mx

    if value.ndim < 2 and "norm" in name:
        return value
    if not mx.issubdtype(value.dtype, mx.floating):
        return value
    scale = 1.0 if "embed_tokens" in name else _SCALE
    return (mx.random.normal(value.shape) * scale).astype(mx.float16 if value.size > _LARGE else value.dtype)


def _follow(script: Script, family: Family, weights: dict[str, Any], ids: Mapping[str, int]) -> None:
    """Change the weights such that each token of the answer has the next one as the likeliest successor.

    The k-th of these tokens is embedded as the k-th unit vector, and the head of its successor is the same vector.
    """
    import mlx.core as mx

    for name, value in weights.items():
        if name.startswith(family.decoder) and any(f".{part}." in name for part in family.residual):
            weights[name] = mx.zeros_like(value)
    embedding = weights[family.embedding]
    given = [ids[text] for text in (family.last, *family.answer)]
    assert len(set(given)) == len(given) <= embedding.shape[-1], "a token has one successor only"
    units = mx.eye(embedding.shape[-1], dtype=embedding.dtype)
    head = mx.zeros_like(embedding)
    for place, (token, following) in enumerate(pairwise(given)):
        embedding[token] = head[following] = units[place]
    embedding[given[-1]] = units[len(given) - 1]
    if script == Script.LOOP:
        head[given[2]] += units[len(given) - 1]
        head[ids[family.ends]] = units[1 : len(given)].sum(axis=0) / 4
    else:
        head[ids[family.ends]] = units[len(given) - 1]
    weights[family.head] = _SURE * head
