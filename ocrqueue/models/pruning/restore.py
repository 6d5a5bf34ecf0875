"""Bringing models back from the trash, and ending what a killed run left half done."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ocrqueue.errors import ModelDirectoryError, ModelUnavailable
from ocrqueue.models.files.paths import Layout, write_json
from ocrqueue.models.pruning.audit import split_name
from ocrqueue.models.pruning.prune import finish
from ocrqueue.models.pruning.steps import Steps
from ocrqueue.models.pruning.trash import FILES, MOVING, RESTORING, TRASHED, Entry, Step, Trash


def recover(layout: Layout, now: float) -> None:
    """End or undo what an earlier run began. The directory's lock is held. Raises ModelDirectoryError, OSError."""
    trash = Trash(layout)
    trash.sweep()
    for entry in trash.entries():
        if entry.state == RESTORING:
            _come_back(layout, trash, entry, now)
        elif entry.state == MOVING and os.path.lexists(layout.root / entry.gate.target):
            finish(layout, trash, entry)
        elif entry.state == MOVING:
            trash.discard(entry.id)  # nothing but links lies in it


def restore(layout: Layout, name: str, now: float) -> Entry:
    """Bring the model of this name back, the one that was pruned last. The directory's lock is held.

    Raises ModelUnavailable where the trash has no such model, ModelDirectoryError where it cannot come back.
    """
    trash = Trash(layout)
    entry = _find(trash, name)
    if os.path.lexists(_destination(layout, trash, entry)):
        raise ModelDirectoryError(f"{entry.name}@{entry.revision} is there already: nothing was restored")
    restoring = replace(entry, state=RESTORING)
    trash.write(restoring)
    _come_back(layout, trash, restoring, now)
    return restoring


def _find(trash: Trash, name: str) -> Entry:
    entries = [entry for entry in trash.entries() if entry.state == TRASHED]
    wanted, revision = split_name(name, {entry.name for entry in entries})
    fitting = [e for e in entries if e.id == name or (e.name == wanted and e.revision.startswith(revision))]
    if not fitting:
        there = ", ".join(sorted({f"{e.name}@{e.revision[:12]}" for e in entries})) or "nothing"
        raise ModelUnavailable(f"the trash has no model {name}: it has {there}")
    return fitting[-1]


def _in_entry(layout: Layout, entry: Entry) -> Path:
    """Where the model's own files lie in its entry: of a repository that went as a whole, those of its revision."""
    moved = layout.root / entry.gate.target
    whole = moved.name.startswith("models--") and moved.parent.name == FILES
    return moved / "snapshots" / entry.revision if whole else moved


def _destination(layout: Layout, trash: Trash, entry: Entry) -> Path:
    """Where they were."""
    return layout.root / _in_entry(layout, entry).relative_to(trash.folder(entry.id) / FILES)


def _come_back(layout: Layout, trash: Trash, entry: Entry, now: float) -> None:
    steps = Steps(layout)
    try:
        steps.all(_way_back(layout, trash, entry))
        if os.path.lexists(_in_entry(layout, entry)):
            trash.write(replace(entry, state=TRASHED))
            raise ModelDirectoryError(f"{entry.name} is there already: it stays in the trash")
        times = {k: v for k, v in entry.stamp.items() if v is not None}
        write_json(layout.stamp_file(entry.key), {"model": entry.key, **times, "restored": now})
        trash.discard(entry.id)
    except OSError as e:
        raise ModelDirectoryError(
            f"{entry.name}: it cannot be restored ({e.strerror}: {e.filename}): let this user write there; "
            "the next restore or prune goes on with it"
        ) from e


def _way_back(layout: Layout, trash: Trash, entry: Entry) -> Iterator[Step]:
    """In one rename where nothing of its repository is there; else file by file, and the revisions last."""
    files = trash.folder(entry.id) / FILES
    for top in _listed(files):
        here = layout.root / top.name
        if not os.path.lexists(here):
            yield _step(layout, top, here)
            continue
        for part in ("blobs", "trees", "refs"):
            for path in sorted(p for p in (top / part).rglob("*") if p.is_symlink() or not p.is_dir()):
                yield _step(layout, path, here / path.relative_to(top))
        for revision in _listed(top / "snapshots"):
            yield _step(layout, revision, here / "snapshots" / revision.name)


def _step(layout: Layout, source: Path, target: Path) -> Step:
    return Step("move", layout.relative(source), layout.relative(target))


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
