"""The order in which several processes of pytest take the files: those that wait beside those that compute."""

import re
from collections.abc import Iterable

import pytest

_ENGINES = re.compile(r"/integration/test_(mlx|miniatures|rapidocr|tesseract)")
_UNIT = "tests/unit/"  # short files, which compute


def mixed(files: Iterable[str]) -> list[str]:
    """The files, with each kind spread over the whole. The last ones are short: no process works long alone."""
    kinds: dict[float, list[str]] = {0.8: [], 0.9: [], 1.0: []}  # by the part of the order over which they are spread
    for file in files:
        kinds[1.0 if file.startswith(_UNIT) else 0.8 if _ENGINES.search(file) else 0.9].append(file)
    place = {file: part * number / len(kind) for part, kind in kinds.items() for number, file in enumerate(kind)}
    return sorted(place, key=lambda file: place[file])


def arrange(items: list[pytest.Item]) -> None:
    """Put the tests into the order of `mixed`, and keep that within a file."""
    files = [item.nodeid.partition("::")[0] for item in items]
    rank = {file: number for number, file in enumerate(mixed(dict.fromkeys(files)))}
    items[:] = [item for _, item in sorted(zip(files, items, strict=True), key=lambda pair: rank[pair[0]])]
