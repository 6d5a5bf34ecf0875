"""The trash: pruned models, each entry whole in itself, with the journal of how it came there.

    trash/<entry>/entry.json   what it is, the steps, and how far it is: "moving", "trashed" or "restoring"
                  files/...    laid out as in the model directory, so that relative links hold
                  staged/...   links to files that others need as well, made before anything moves

An entry named `.gone-...` is being deleted.
"""

import itertools
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocrqueue.models.files.paths import Layout, read_json, sync_folder, write_json

FILES, STAGED, JOURNAL = "files", "staged", "entry.json"
MOVING, TRASHED, RESTORING = "moving", "trashed", "restoring"
_GONE = ".gone-"
_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; doing it twice is the same as once. Paths are relative to the model directory."""

    action: str  # "link", "move", "blob", "replace", "unlink" or "payload"
    source: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the trash, or on its way there or back."""

    id: str  # the folder's name
    state: str  # "moving", "trashed" or "restoring"
    name: str
    revision: str
    key: str
    when: float  # seconds since 1970
    status: str  # that it had
    reason: str
    size: int
    stamp: dict[str, Any]
    before: tuple[Step, ...]  # nothing is seen of these
    gate: Step  # with this rename the model has left the directory
    after: tuple[Step, ...]

    @classmethod
    def parse(cls, id: str, record: dict[str, Any]) -> "Entry":
        """From JSON. Raises KeyError, TypeError where it is no entry."""
        steps: dict[str, Any] = {part: tuple(Step(**step) for step in record[part]) for part in ("before", "after")}
        known = {
            k: record[k] for k in ("state", "name", "revision", "key", "when", "status", "reason", "size", "stamp")
        }
        return cls(id=id, **known, gate=Step(**record["gate"]), **steps)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {k: v for k, v in asdict(self).items() if k != "id"}


def new_id(now: float) -> str:
    """A name for a new entry; names sort by time, and by the order in which a prune makes them."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{next(_counter):04}-{uuid.uuid4().hex[:8]}"


class Trash:
    """The entries of one directory."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def folder(self, entry: str) -> Path:
        """Where an entry lies."""
        return self._layout.trash / entry

    def entries(self) -> list[Entry]:
        """All entries, oldest first; what has no journal is left out."""
        return [entry for name in self._names() if (entry := self._read(name))]

    def _names(self) -> list[str]:
        try:
            return sorted(p.name for p in self._layout.trash.iterdir() if not p.name.startswith("."))
        except FileNotFoundError:
            return []

    def _read(self, name: str) -> Entry | None:
        record = read_json(self.folder(name) / JOURNAL)
        try:
            return Entry.parse(name, record) if record else None
        except (KeyError, TypeError):
            return None

    def begin(self, entry: Entry) -> None:
        """Write the journal of an entry before its first step. Raises OSError."""
        folder = self.folder(entry.id)
        folder.mkdir()
        sync_folder(self._layout.trash)
        self.write(entry)

    def write(self, entry: Entry) -> None:
        """Write how far an entry is. Raises OSError."""
        write_json(self.folder(entry.id) / JOURNAL, entry.to_json())

    def settle(self, entry: Entry) -> Entry:
        """All steps are done: the model is in the trash."""
        shutil.rmtree(self.folder(entry.id) / STAGED, ignore_errors=True)
        done = replace(entry, state=TRASHED)
        self.write(done)
        return done

    def discard(self, entry: str) -> None:
        """Delete an entry for good; one that was begun to be deleted is no entry any more. Raises OSError."""
        gone = self._layout.trash / f"{_GONE}{entry}"
        try:
            self.folder(entry).rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone)

    def sweep(self) -> None:
        """Delete what an earlier run began to delete, and entries that were never begun. Raises OSError."""
        for path in self._layout.trash.glob(f"{_GONE}*"):
            shutil.rmtree(path)
        for name in self._names():
            if all(file.name.startswith(".tmp-") for file in self.folder(name).iterdir()):
                shutil.rmtree(self.folder(name))  # killed between making the folder and writing the journal

    def size(self) -> int:
        """Bytes that deleting all entries would give back: files that nobody else links to."""
        files = {(s.st_dev, s.st_ino): s for s in _files(self._layout.trash)}
        own = [s for s in files.values() if s.st_nlink == 1]
        return sum(s.st_size for s in own)


def _files(folder: Path) -> Iterator[os.stat_result]:
    for base, _, names in os.walk(folder):
        for name in names:
            if name != JOURNAL:
                about = Path(base, name).lstat()
                if not Path(base, name).is_symlink():
                    yield about
