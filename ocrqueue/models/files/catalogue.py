"""Which models are in a directory: revisions in Hugging Face's cache layout, and plain folders.

Names are looked up among what is there; none is ever made into a path.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ocrqueue.models.files.paths import STATE

WEIGHTS = (".safetensors", ".gguf", ".npz", ".bin", ".onnx", ".pt", ".pth")
SHARED_MARKER = ".huggingface-shared-blobs"  # in `blobs`, where repositories share their files
_REPOSITORY = "models--"  # begins the name of a repository's folder
_CONFIGS = frozenset({"config.json", "model_index.json"})
_NOT_MODELS = frozenset({STATE, ".locks", "CACHEDIR.TAG", "version.txt"})


class Kind(StrEnum):
    """How a model lies in the directory."""

    CACHE = "cache"  # a revision of a repository, in the layout of Hugging Face's cache
    FOLDER = "folder"  # a plain folder


@dataclass(frozen=True, slots=True)
class Found:
    """A model as it lies in the directory."""

    name: str  # "organisation/model", or the folder's name
    revision: str  # commit of a cached model; empty for a folder
    kind: Kind
    path: Path  # where its files are
    top: Path  # what lies directly in the model directory: the repository, or the folder itself
    main: str | None = None  # the revision that refs/main names

    @property
    def key(self) -> str:
        """Names it in locks and stamps."""
        return f"{self.name}@{self.revision or Kind.FOLDER}"

    @property
    def is_link(self) -> bool:
        """Whether the folder is only linked here."""
        return self.top.is_symlink()


def catalogue(root: Path) -> tuple[list[Found], list[str]]:
    """All models, and the names of what is none."""
    found: list[Found] = []
    unknown: list[str] = []
    for entry in _entries(root):
        models = list(_models(entry))
        found += models
        if not models and not _expected(entry):
            unknown.append(entry.name)
    return found, unknown


def repository_folder(name: str) -> str:
    """The name of the folder that holds a model of the hub, as huggingface_hub makes it."""
    return _REPOSITORY + name.replace("/", "--")


def is_repository(folder: str) -> bool:
    """Whether a folder of this name holds a model of the hub."""
    return folder.startswith(_REPOSITORY)


def find(root: Path, name: str) -> list[Found]:
    """The revisions of a model, or the folder of that name."""
    entries = (entry for entry in _entries(root) if entry.name in (repository_folder(name), name))
    return [model for entry in entries for model in _models(entry) if model.name == name]


def find_given(root: Path, given: str) -> tuple[str, list[Found]]:
    """The name in NAME or NAME@REVISION, and the models that fit; the revision may be shortened."""
    if models := find(root, given):
        return given, models
    name, revision = split_name(given)
    return name, [m for m in find(root, name) if revision and m.revision.startswith(revision)]


def split_name(given: str, known: Collection[str] = ()) -> tuple[str, str]:
    """(name, revision or ""): a folder's name may have an @ of its own."""
    if given in known:
        return given, ""
    name, _, revision = given.rpartition("@")
    return (name, revision) if name else (given, "")


def newest_first(models: Iterable[Found]) -> list[Found]:
    """The folder of that name, then the revision that refs/main names, then the others by when they came."""
    return sorted(
        models,
        key=lambda m: (m.kind == Kind.FOLDER, m.revision == m.main, m.path.stat().st_mtime, m.revision),
        reverse=True,
    )


def _entries(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            return sorted(root / entry.name for entry in entries)
    except FileNotFoundError:
        return []


def _models(entry: Path) -> Iterator[Found]:
    if entry.name.startswith(".") or not entry.is_dir():
        return
    if is_repository(entry.name) and not entry.is_symlink():
        yield from _revisions(entry)
    elif "--" in entry.name and entry.name.partition("--")[0] in ("datasets", "spaces", "kernels"):
        return
    elif _looks_like_model(entry):
        yield Found(entry.name, "", Kind.FOLDER, entry, entry)


def _revisions(top: Path) -> Iterator[Found]:
    name = top.name.removeprefix(_REPOSITORY).replace("--", "/")
    main = _read_ref(top / "refs" / "main")
    revisions = [p for p in _folders(top / "snapshots") if not p.is_symlink()]
    for path in revisions:
        yield Found(name, path.name, Kind.CACHE, path, top, main)
    if not revisions and any((top / part).is_dir() for part in ("blobs", "refs", "snapshots")):
        yield Found(
            name, main or "unknown", Kind.CACHE, top, top, main
        )  # a download that has just begun, or was cut short


def _read_ref(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, ValueError):
        return None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir())
    except OSError:
        return []


def _looks_like_model(folder: Path) -> bool:
    """Whether a folder has weights or a model's configuration, in itself or one level below, or is a renamed cache."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return False
    if any(_is_model_file(name) for name in names):
        return True
    if "snapshots" in names and {"blobs", "refs"} & set(names):
        return True
    below = (folder / name for name in names if not name.startswith("."))
    return any(_is_model_file(file.name) for path in below if _is_own_folder(path) for file in path.iterdir())


def _is_own_folder(path: Path) -> bool:
    return not path.is_symlink() and path.is_dir() and os.access(path, os.R_OK | os.X_OK)


def _is_model_file(name: str) -> bool:
    return name in _CONFIGS or name.endswith(WEIGHTS)


def _expected(entry: Path) -> bool:
    """Whether it belongs to a directory of this kind, though it is no model."""
    if entry.name in _NOT_MODELS or entry.name.startswith("."):
        return True
    return entry.name == "blobs" and (entry / SHARED_MARKER).is_file()
