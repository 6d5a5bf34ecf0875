"""Whether a model is complete, from the sizes and headers of its files. `hashes` reads whole files."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocrqueue.models.files.atomic import is_size, read_json
from ocrqueue.models.files.catalogue import WEIGHTS, Found, Kind
from ocrqueue.models.files.contents import HUB_FOLDER, FileState, ModelFile

DAY = 86_400.0  # seconds
_LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format
_INCOMPLETE = ".incomplete"  # the name of a partial download ends in this
_INDEX = ".index.json"  # the name of the list of all weights files ends in this


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with a model's files, and when they changed."""

    damage: tuple[str, ...]  # reasons why the model cannot be loaded
    leads_out: tuple[str, ...]  # links to files that belong to others: such a model is never moved
    changed: float  # when a file of the model last changed, seconds since 1970
    downloading: bool  # a download wrote to a partial file within the last day


def check(found: Found, files: Sequence[ModelFile], pulled: bool, now: float) -> Condition:
    """The condition of a model. `pulled`: OCR Queue pulled all of it, so every file of the hub's list must exist."""
    content = [f for f in files if not f.name.startswith(HUB_FOLDER)]
    damage = [*_damaged_files(content), *_missing_shards(content), *_against_listing(found, content, pulled)]
    if found.path == found.top and found.kind == Kind.CACHE:
        damage.append("it has no revision: pull it again")
    elif not damage and not any(f.name.endswith(WEIGHTS) for f in content):
        damage.append("it has no weights: pull it again, or remove it")
    partial = [mtime for f, mtime in _times(found, files) if f.endswith(_INCOMPLETE)]
    return Condition(
        damage=tuple(damage),
        leads_out=tuple(_leads_out(found, files)),
        changed=max((mtime for _, mtime in _times(found, files)), default=0.0),
        downloading=any(now - mtime < DAY for mtime in partial),
    )


def _damaged_files(files: Sequence[ModelFile]) -> Iterator[str]:
    for file in files:
        if file.state == FileState.DANGLING:
            yield f"{file.name}: the link points nowhere"
        elif file.state == FileState.UNREADABLE:
            yield f"{file.name}: this user may not read it"
        elif file.state == FileState.OK and (problem := file_problem(file)):
            yield f"{file.name}: {problem}"


def file_problem(file: ModelFile) -> str | None:
    """What is wrong with a readable file, from its size and header; None if nothing is."""
    try:
        if file.name.endswith(".safetensors"):
            return safetensors_problem(file.real, file.size)
        if file.name == "config.json" or file.name.endswith(_INDEX):
            return None if _read_object(file.real) is not None else "it is not valid JSON"
        if file.name.endswith(WEIGHTS) and not file.size:
            return "it is empty"
    except OSError as e:
        return e.strerror or str(e)
    return None


def safetensors_problem(path: str, size: int) -> str | None:
    """What is wrong with a safetensors file of `size` bytes; None if nothing is. Its header gives its length.

    Source: https://github.com/huggingface/safetensors, "Format": 8 bytes (little-endian length N), N bytes of JSON
    with the offsets of each tensor's data, then the data. Raises OSError.
    """
    with open(path, "rb") as file:  # noqa: PTH123 -- paths are strings here
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 0 < length <= _LONGEST_HEADER:
            return "it has no safetensors header"
        if 8 + length > size:
            return f"it is cut off inside its header ({size:,} bytes)"
        raw = file.read(length)
    try:
        tensors = {k: v for k, v in json.loads(raw).items() if k != "__metadata__"}
        end = 8 + length + max((_end(about["data_offsets"]) for about in tensors.values()), default=0)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError, IndexError):
        return "its safetensors header is damaged"
    if size < end:
        return f"it is cut off: it has {size:,} of {end:,} bytes"
    return f"it is {size - end:,} bytes too long" if size > end else None


def _end(offsets: Any) -> int:
    """Where the data of a tensor ends, from the beginning of all data. Raises ValueError, TypeError."""
    begin, end = offsets
    if not (is_size(begin) and is_size(end) and begin <= end):
        raise ValueError
    return int(end)


def _read_object(path: str) -> dict[str, Any] | None:
    with open(path, "rb") as file:  # noqa: PTH123 -- paths are strings here
        try:
            value = json.load(file)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _missing_shards(files: Sequence[ModelFile]) -> Iterator[str]:
    names = {file.name for file in files}
    for index in files:
        if not index.name.endswith(_INDEX) or index.state != FileState.OK:
            continue
        try:
            weights = (_read_object(index.real) or {}).get("weight_map")
        except OSError:
            continue
        folder = os.path.dirname(index.name)  # noqa: PTH120 -- paths are strings here
        shards = {str(shard) for shard in weights.values()} if isinstance(weights, dict) else set()
        for shard in sorted(shards):
            if (f"{folder}/{shard}" if folder else shard) not in names:
                yield f"{shard}: {index.name} lists it, but it is missing"


def listing(found: Found) -> Mapping[str, Mapping[str, Any]]:
    """The list of files that huggingface_hub (2 and newer) stores with a revision: {name: {size and hashes}}.

    Empty if there is no list. Source: `trees/<commit>.json` of huggingface_hub, format version 1.
    """
    noted = read_json(found.top / "trees" / f"{found.revision}.json") if found.kind == Kind.CACHE else None
    files = noted.get("files") if noted and noted.get("format_version") == 1 else None
    return {k: v for k, v in files.items() if isinstance(v, dict)} if isinstance(files, dict) else {}


def _against_listing(found: Found, files: Sequence[ModelFile], pulled: bool) -> Iterator[str]:
    there = {file.name: file for file in files}
    for name, about in listing(found).items():
        file = there.get(name)
        if file is None:
            if pulled:
                yield f"{name}: it is missing"
        elif file.state == FileState.OK and is_size(about.get("size")) and file.size != about["size"]:
            yield f"{name}: it has {file.size:,} bytes, but {about['size']:,} on the hub"


def _leads_out(found: Found, files: Sequence[ModelFile]) -> Iterator[str]:
    for file in files:
        if file.state == FileState.OUTSIDE:
            yield f"{file.name}: the link leads out of the model directory"
        elif file.state == FileState.SPECIAL and file.is_link and not file.real.startswith(f"{found.path}{os.sep}"):
            yield f"{file.name}: the link leads to a folder that is not the model's own"


def _times(found: Found, files: Sequence[ModelFile]) -> Iterator[tuple[str, float]]:
    """(name, time of last change) of every file of a model, including partial downloads."""
    yield from ((file.name, file.mtime_ns / 1e9) for file in files)
    yield "", found.path.stat().st_mtime
    if found.kind == Kind.CACHE:
        try:
            with os.scandir(found.top / "blobs") as blobs:
                yield from (
                    (b.name, b.stat(follow_symlinks=False).st_mtime) for b in blobs if b.name.endswith(_INCOMPLETE)
                )
        except OSError:
            return
