"""The files of a model, and where each one's bytes really are.

Paths are texts here: there are tens of thousands of them.
"""
# ruff: noqa: PTH114, PTH115, PTH116, PTH118, PTH119, PTH120

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ocrqueue.models.files.catalogue import Found, Kind

HUB_FOLDER = os.path.join(".cache", "huggingface")  # what huggingface_hub notes in a plain folder
_EFFECTIVE = os.access in os.supports_effective_ids


class FileState(StrEnum):
    """Whether the bytes of a file can be read, and whether they are the directory's own."""

    OK = "ok"
    DANGLING = "dangling"  # a link that points nowhere
    OUTSIDE = "outside"  # a link that leads out of the model directory
    UNREADABLE = "unreadable"  # this user may not read it
    SPECIAL = "special"  # neither a regular file nor a link to one


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model."""

    name: str  # relative to the model
    path: str  # of the file, or of the link to it
    state: FileState
    real: str = ""  # where the bytes are
    etag: str | None = None  # the name of the repository's blob that the link leads to first
    inode: tuple[int, int] = (0, 0)
    size: int = 0  # bytes
    mtime_ns: int = 0
    is_link: bool = False


def contents(found: Found, root: Path) -> list[ModelFile]:
    """All files of a model, by name."""
    base = str(found.path)
    blobs = str(found.top / "blobs")
    # Links into a repository's own blobs need no closer look, unless its folders are links themselves.
    near = found.kind == Kind.CACHE and not any((found.top / part).is_symlink() for part in ("blobs", "snapshots"))
    files = [_file(path, base, str(root), blobs, near) for path in _walk(base)]
    return sorted(files, key=lambda file: file.name)


def _walk(folder: str) -> Iterator[str]:
    """Paths of all that is no folder; links are not followed. A folder that cannot be read is given itself."""
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
    """Where a link ends. Raises OSError where that is nowhere."""
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
