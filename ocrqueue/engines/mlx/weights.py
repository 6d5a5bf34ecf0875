"""What the weights files of a model say in their headers: sizes of all tensors. No weight is read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocrqueue.models.files.atomic import is_size
from ocrqueue.models.files.checks import safetensors_problem

_INDEX = "model.safetensors.index.json"
_UNUSED = "consolidated.safetensors"  # the same weights once more, in another layout; mlx-vlm does not load it
_EMBEDDINGS = ("embed_tokens", "tok_embeddings", "word_embeddings", "wte", "shared", "embed_in")  # a row for each token


def weight_problems(folder: Path) -> Iterator[str]:
    """What is wrong with the weights: a file is missing, or cut off."""
    there = {path.name: path for path in folder.glob("*.safetensors")}
    yield from (f"{name} is missing" for name in sorted(_indexed(folder) - there.keys()))
    if not there:
        yield "model.safetensors is missing: it has no weights"
    for name, path in sorted(there.items()):
        if not path.is_file():
            yield f"{name} is not a file, or a link to a file that is missing"
        elif problem := safetensors_problem(str(path), path.stat().st_size):
            yield f"{name}: {problem}"


def weight_bytes(folder: Path) -> int:
    """The bytes of all weights that mlx-vlm loads: of the files in the index, or without an index of all files."""
    return sum(path.stat().st_size for path in _loaded(folder))


def embedding_rows(folder: Path) -> int | None:
    """The number of tokens that the weights know; None if no tensor is known as the embedding of tokens."""
    shapes = [
        about.get("shape")
        for path in _loaded(folder)
        for name, about in _tensors(path).items()
        if name.endswith(".weight") and name.split(".")[-2] in _EMBEDDINGS
    ]
    return max((shape[0] for shape in shapes if _is_shape(shape)), default=None)


def _is_shape(shape: object) -> bool:
    return isinstance(shape, list) and bool(shape) and is_size(shape[0])


def _loaded(folder: Path) -> list[Path]:
    named = [folder / name for name in sorted(_indexed(folder))]
    files = [path for path in named if path.is_file()]
    return files or [path for path in sorted(folder.glob("*.safetensors")) if path.is_file() and path.name != _UNUSED]


def _indexed(folder: Path) -> set[str]:
    try:
        index = json.loads((folder / _INDEX).read_bytes())
        return {str(name) for name in index["weight_map"].values()}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return set()


def _tensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file without problems: name, and what its header says."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: about for name, about in header.items() if name != "__metadata__"}
