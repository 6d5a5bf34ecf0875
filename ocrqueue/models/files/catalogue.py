"""The models in a directory: revisions in the layout of Hugging Face's cache, and plain folders.

A name is compared with the entries of the directory. It is never used as a path and cannot lead out of it.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ocrqueue.models.files.paths import STATE

WEIGHTS = (".safetensors", ".gguf", ".npz", ".bin", ".onnx", ".pt", ".pth")
SHARED_MARKER = ".huggingface-shared-blobs"  # a file in `blobs`, if repositories share files there
_REPOSITORY = "models--"  # the name of a repository's folder begins with this
_CONFIGS = frozenset({"config.json", "model_index.json"})
_NOT_MODELS = frozenset({STATE, ".locks", "CACHEDIR.TAG", "version.txt"})


class Kind(StrEnum):
    """How a model is stored."""

    CACHE = "cache"  # a revision of a repository, in the layout of Hugging Face's cache
    FOLDER = "folder"  # a plain folder


@dataclass(frozen=True, slots=True)
class Found:
    """One model in the directory: a revision of a repository, or a folder."""

    name: str  # "organisation/model", or the folder's name
    revision: str  # commit; empty for a folder
    kind: Kind
    path: Path  # the folder with its files
    top: Path  # the entry of the model directory that contains it: the repository, or the folder itself
    main: str | None = None  # the revision that refs/main names; None: no such file, or a folder

    @property
    def key(self) -> str:
        """Identifies the model in the names of locks and stamps."""
        return f"{self.name}@{self.revision or Kind.FOLDER}"

    @property
    def is_link(self) -> bool:
        """Whether the entry of the model directory is a symbolic link to a folder elsewhere."""
        return self.top.is_symlink()


def catalogue(root: Path) -> tuple[list[Found], list[str]]:
    """All models in the directory, and the names of the entries that are not models."""
    found: list[Found] = []
    unknown: list[str] = []
    for entry in _entries(root):
        models = list(_models(entry))
        found += models
        if not models and not _expected(entry):
            unknown.append(entry.name)
    return found, unknown


def repository_folder(name: str) -> str:
    """The name of the folder in which huggingface_hub stores a model."""
    return _REPOSITORY + name.replace("/", "--")


def is_repository(folder: str) -> bool:
    """Whether huggingface_hub stores a model in a folder of this name."""
    return folder.startswith(_REPOSITORY)


def find(root: Path, name: str) -> list[Found]:
    """The revisions of the model with this name, or the folder with this name."""
    entries = (entry for entry in _entries(root) if entry.name in (repository_folder(name), name))
    return [model for entry in entries for model in _models(entry) if model.name == name]


def find_given(root: Path, given: str) -> tuple[str, list[Found]]:
    """The name in NAME or NAME@REVISION, and the models that match. The revision may be a prefix of the commit."""
    if models := find(root, given):
        return given, models
    name, revision = split_name(given)
    return name, [m for m in find(root, name) if revision and m.revision.startswith(revision)]


def split_name(given: str, known: Collection[str] = ()) -> tuple[str, str]:
    """Split NAME or NAME@REVISION into (name, revision or ""). A name in `known` is not split: it may contain an @."""
    if given in known:
        return given, ""
    name, _, revision = given.rpartition("@")
    return (name, revision) if name else (given, "")


def newest_first(models: Iterable[Found]) -> list[Found]:
    """Models of one name: the folder, then the revision that refs/main names, then the others by age, newest first."""
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
        # A download has just begun, or was interrupted.
        yield Found(name, main or "unknown", Kind.CACHE, top, top, main)


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
    """Whether a folder, or a folder in it, has weights or a configuration; or it is a repository with another name."""
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
    """Whether an entry that is not a model belongs in a model directory, such as the folder with shared files."""
    if entry.name in _NOT_MODELS or entry.name.startswith("."):
        return True
    return entry.name == "blobs" and (entry / SHARED_MARKER).is_file()
