"""Restoring models from the trash, and completing or undoing the work of a process that was killed."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ocrqueue.errors import ModelDirectoryError, ModelUnavailable
from ocrqueue.models.files.atomic import write_json
from ocrqueue.models.files.catalogue import is_repository, split_name
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.pruning.apply import apply
from ocrqueue.models.pruning.journal import Action, Entry, EntryState, Step
from ocrqueue.models.pruning.prune import finish
from ocrqueue.models.pruning.trash import FILES, Trash


def recover(paths: DirectoryPaths, now: float) -> None:
    """Complete or undo what a killed process began. The caller holds the lock of the directory.

    Raises ModelDirectoryError, OSError.
    """
    trash = Trash(paths)
    trash.sweep()
    for entry in trash.entries():
        if entry.state == EntryState.RESTORING:
            _come_back(paths, trash, entry, now)
        elif entry.state == EntryState.MOVING and os.path.lexists(paths.root / entry.gate.target):
            finish(paths, trash, entry)
        elif entry.state == EntryState.MOVING:
            trash.discard(entry.id)  # it contains only links


def restore(paths: DirectoryPaths, name: str, now: float) -> Entry:
    """Restore the model NAME, NAME@REVISION or the entry with this id; of several the one pruned last.

    The caller holds the lock of the directory. Raises ModelUnavailable if the trash has no such model,
    ModelDirectoryError if it cannot be restored, such as because the directory has the model again.
    """
    trash = Trash(paths)
    entry = _find(trash, name)
    if os.path.lexists(_destination(paths, trash, entry)):
        raise ModelDirectoryError(f"{entry.name}@{entry.revision} exists already: nothing was restored")
    restoring = replace(entry, state=EntryState.RESTORING)
    trash.write(restoring)
    _come_back(paths, trash, restoring, now)
    return restoring


def _find(trash: Trash, name: str) -> Entry:
    entries = [entry for entry in trash.entries() if entry.state == EntryState.TRASHED]
    wanted, revision = split_name(name, {entry.name for entry in entries})
    fitting = [e for e in entries if e.id == name or (e.name == wanted and e.revision.startswith(revision))]
    if not fitting:
        present = ", ".join(sorted({f"{e.name}@{e.revision[:12]}" for e in entries})) or "nothing"
        raise ModelUnavailable(f"the trash has no model {name}: it has {present}")
    return fitting[-1]


def _in_entry(paths: DirectoryPaths, entry: Entry) -> Path:
    """The folder with the model's files in its entry. For a whole repository this is the folder of the revision."""
    moved = paths.root / entry.gate.target
    whole = is_repository(moved.name) and moved.parent.name == FILES
    return moved / "snapshots" / entry.revision if whole else moved


def _destination(paths: DirectoryPaths, trash: Trash, entry: Entry) -> Path:
    """The folder in the model directory to which they belong."""
    return paths.root / _in_entry(paths, entry).relative_to(trash.folder(entry.id) / FILES)


def _come_back(paths: DirectoryPaths, trash: Trash, entry: Entry, now: float) -> None:
    try:
        apply(paths, _way_back(paths, trash, entry))
        if os.path.lexists(_in_entry(paths, entry)):
            trash.write(replace(entry, state=EntryState.TRASHED))
            raise ModelDirectoryError(f"{entry.name} exists already: it stays in the trash")
        times = {k: v for k, v in entry.stamp.items() if v is not None}
        write_json(paths.stamp_file(entry.key), {"model": entry.key, **times, "restored": now})
        trash.discard(entry.id)
    except OSError as e:
        raise ModelDirectoryError(
            f"{entry.name}: it cannot be restored ({e.strerror}: {e.filename}): give this user write permission; "
            "the next restore or prune continues"
        ) from e


def _way_back(paths: DirectoryPaths, trash: Trash, entry: Entry) -> Iterator[Step]:
    """The steps of a restore: one rename if the repository is gone, else single files, with the revisions last."""
    files = trash.folder(entry.id) / FILES
    for top in _listed(files):
        here = paths.root / top.name
        if not os.path.lexists(here):
            yield _step(paths, top, here)
            continue
        for part in ("blobs", "trees", "refs"):
            for path in sorted(p for p in (top / part).rglob("*") if p.is_symlink() or not p.is_dir()):
                yield _step(paths, path, here / path.relative_to(top))
        for revision in _listed(top / "snapshots"):
            yield _step(paths, revision, here / "snapshots" / revision.name)


def _step(paths: DirectoryPaths, source: Path, target: Path) -> Step:
    return Step(Action.MOVE, paths.relative(source), paths.relative(target))


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
