"""Builds the folder of a miniature: a model of a known type that is very small, with random weights.

mlx-vlm's own classes make the network from a shrunk config.json. The weights are random, from a fixed seed, except for
one thing: the decoder's layers add nothing to the residual stream, and the head maps each token to the next one of the
answer. So the model writes a known answer after every prompt, and ends it with the family's stop token.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.support.miniatures.family import Family
from tests.support.miniatures.tokens import write_tokenizer

_SCALE = 0.05  # standard deviation of random weights
_STRONG = 1.0  # of embeddings
_LARGE = 1_000_000  # numbers in a tensor that is stored as float16


def build(family: Family, folder: Path, scripted: bool = True) -> Path:
    """Write the model into a folder, and return the folder. Not scripted: all weights are random."""
    folder.mkdir(parents=True)
    ids = write_tokenizer(family, folder)
    size = max(number for number in _all_ids(folder)) + 1
    config = family.config(lambda text: ids[text], size)
    for name, content in {"config.json": config, **family.files}.items():
        (folder / name).write_text(json.dumps(content))
    if family.template is not None:
        (folder / "chat_template.jinja").write_text(family.template)
    _write_weights(family, folder, ids if scripted else None)
    return folder


def _all_ids(folder: Path) -> list[int]:
    content = json.loads((folder / "tokenizer.json").read_text())
    return [*content["model"]["vocab"].values(), *(token["id"] for token in content["added_tokens"])]


def _write_weights(family: Family, folder: Path, ids: Mapping[str, int] | None) -> None:
    import mlx.core as mx
    from mlx.utils import tree_flatten

    mx.random.seed(7)
    network = _network(json.loads((folder / "config.json").read_text()))
    weights = dict(tree_flatten(network.parameters()))
    for name, value in weights.items():
        weights[name] = _random(name, value)
    if ids is not None:
        _script(family, weights, ids)
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
    scale = _STRONG if "embed_tokens" in name else _SCALE
    return (mx.random.normal(value.shape) * scale).astype(mx.float16 if value.size > _LARGE else value.dtype)


def _script(family: Family, weights: dict[str, Any], ids: Mapping[str, int]) -> None:
    """Change the weights such that the model writes the answer, and then stops."""
    import mlx.core as mx

    for name, value in weights.items():
        if name.startswith(family.decoder) and any(f".{part}." in name for part in family.residual):
            weights[name] = mx.zeros_like(value)
    embedding = weights[family.embedding]
    head, width = mx.zeros_like(embedding), embedding.shape[-1]
    chain = [ids[text] for text in (family.last, *family.answer, family.ends)]
    assert len(set(chain[:-1])) == len(chain) - 1, "a token has one successor only"
    for number, (given, wanted) in enumerate(pairwise(chain)):
        embedding[given] = head[wanted] = mx.arange(width) == number
    weights[family.head] = head
