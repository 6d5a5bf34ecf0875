"""The files of a model, and the paths at which their bytes are stored.

Paths are strings here, because `Path` objects are slow for tens of thousands of files.
"""
# ruff: noqa: PTH114, PTH115, PTH116, PTH118, PTH119, PTH120

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ocrqueue.models.files.catalogue import Found, Kind

HUB_FOLDER = os.path.join(".cache", "huggingface")  # metadata that huggingface_hub stores in a plain folder
_EFFECTIVE = os.access in os.supports_effective_ids  # whether `os.access` can check the effective user


class FileState(StrEnum):
    """Whether the bytes of a file can be read, and whether they are in the model directory."""

    OK = "ok"
    DANGLING = "dangling"  # a link whose target does not exist
    OUTSIDE = "outside"  # a link that leads out of the model directory
    UNREADABLE = "unreadable"  # this user has no permission to read it
    SPECIAL = "special"  # neither a regular file nor a link to one


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model."""

    name: str  # path relative to the folder of the model
    path: str  # absolute path of the file or link
    state: FileState
    real: str = ""  # absolute path of the bytes, all links resolved
    etag: str | None = None  # the name of the blob in the repository to which the link points; None: not to a blob
    inode: tuple[int, int] = (0, 0)  # (device, inode) of the bytes
    size: int = 0  # bytes
    mtime_ns: int = 0  # last change of the bytes, nanoseconds since 1970
    is_link: bool = False  # `path` is a symbolic link


def contents(found: Found, root: Path) -> list[ModelFile]:
    """All files of a model, sorted by name. `root`: the model directory."""
    base = str(found.path)
    blobs = str(found.top / "blobs")
    # Links into the blobs of the same repository need not be resolved, unless its folders are links themselves.
    near = found.kind == Kind.CACHE and not any((found.top / part).is_symlink() for part in ("blobs", "snapshots"))
    files = [_file(path, base, str(root), blobs, near) for path in _walk(base)]
    return sorted(files, key=lambda file: file.name)


def _walk(folder: str) -> Iterator[str]:
    """The paths of all files and links below a folder; links are not followed. An unreadable folder is yielded too."""
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:
        yield folder
        return
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        else:
            yield entry.path


def _file(path: str, base: str, root: str, blobs: str, near: bool) -> ModelFile:
    name = os.path.relpath(path, base) if not path.startswith(base + os.sep) else path[len(base) + 1 :]
    try:
        about = os.lstat(path)
        real, etag = path, None
        if is_link := stat.S_ISLNK(about.st_mode):
            target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
            in_blobs = os.path.dirname(target) == blobs
            etag = os.path.basename(target) if in_blobs else None
            real, about = _follow(path, target, near and in_blobs)
    except (OSError, ValueError):
        return ModelFile(name, path, FileState.DANGLING if os.path.islink(path) else FileState.UNREADABLE)
    inode = (about.st_dev, about.st_ino)
    state = _state(real, about.st_mode, root)
    return ModelFile(name, path, state, real, etag, inode, about.st_size, about.st_mtime_ns, is_link)


def _follow(path: str, target: str, near: bool) -> tuple[str, os.stat_result]:
    """(path, status) of the file to which a link leads. Raises OSError if there is none."""
    about = os.lstat(target) if near else os.stat(path)
    if near and not stat.S_ISLNK(about.st_mode):
        return target, about
    return os.path.realpath(path), os.stat(path)


def _state(real: str, mode: int, root: str) -> FileState:
    if not real.startswith(root + os.sep):
        return FileState.OUTSIDE
    if not stat.S_ISREG(mode):
        return (
            FileState.UNREADABLE if stat.S_ISDIR(mode) and not os.access(real, os.R_OK | os.X_OK) else FileState.SPECIAL
        )
    return FileState.OK if os.access(real, os.R_OK, effective_ids=_EFFECTIVE) else FileState.UNREADABLE
