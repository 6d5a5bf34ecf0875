"""Doing the steps of a journal. A step that was done before does nothing. No file is ever copied."""

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.pruning.journal import Action, Step
from ocrqueue.process.disk import sync_folder


def apply(paths: DirectoryPaths, steps: Iterable[Step]) -> None:
    """Do the steps in order. Raises OSError; all steps may then be done again."""
    for step in steps:
        _apply(paths.root, step)


def _apply(root: Path, step: Step) -> None:
    source, target = root / step.source, root / step.target
    match step.action:
        case Action.LINK:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)
        case Action.MOVE:
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(source, target)
        case Action.BLOB:
            target.parent.mkdir(parents=True, exist_ok=True)
            _move_or_link(source, target)
        case Action.REPLACE:
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # done before
                source.replace(target)
        case Action.UNLINK:
            _unlink(source, target)
        case Action.PAYLOAD:
            _drop_payload(root, source, target)


def _link(source: Path, target: Path) -> None:
    with suppress(FileExistsError):  # done before
        os.link(source, target)


def _move(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        return  # done before
    with suppress(FileNotFoundError):  # another process removed it
        source.rename(target)
        with suppress(OSError):  # some network file systems cannot sync folders
            sync_folder(target.parent)


def _move_or_link(source: Path, target: Path) -> None:
    """Move a blob, or link it if a revision in the directory needs it, such as one pulled since the plan was made."""
    if os.path.lexists(target) or not os.path.lexists(source):
        return
    if source.name in _linked_blobs(source.parent.parent):
        _link(source, target)
    else:
        _move(source, target)


def _linked_blobs(repository: Path) -> set[str]:
    """The names of the blobs to which revisions of a repository link, whether they exist or not."""
    found = set()
    blobs = str(repository / "blobs")
    for base, _, names in os.walk(repository / "snapshots"):
        for name in names:
            with suppress(OSError):
                target = os.path.normpath(Path(base, Path(base, name).readlink()))
                folder, _, blob = target.rpartition(os.sep)
                if folder == blobs:
                    found.add(blob)
    return found


def _unlink(source: Path, kept: Path) -> None:
    """Remove a repository's link to a shared file, unless a revision of the repository needs it."""
    if source.is_symlink() and source.name not in _linked_blobs(source.parent.parent) and kept.exists():
        source.unlink()


def _drop_payload(root: Path, payload: Path, kept: Path) -> None:
    """Remove a shared file to which no repository links. Its bytes stay in the trash, as the hard link `kept`.

    Source of the layout (`<file>.refs`, `<file>.lock`): huggingface_hub 2.4, "shared blobs". Like there, a file
    without a list of its links is not removed.
    """
    references = payload.with_name(f"{payload.name}.refs")
    if not references.is_file():
        return
    with suppress(FileNotFoundError), payload.with_name(f"{payload.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = references.read_text().splitlines()
        used = any(os.path.realpath(root / line) == str(payload) for line in lines if line)
        if not used and payload.stat().st_ino == kept.stat().st_ino:
            payload.unlink()
            references.unlink()
