"""The trash: pruned models, each entry whole in itself, with the journal of how it came there.

    trash/<entry>/entry.json   what it is, the steps, and how far it is: "moving", "trashed" or "restoring"
                  files/...    laid out as in the model directory, so that relative links hold
                  staged/...   links to files that others need as well, made before anything moves

An entry named `.gone-...` is being deleted.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ocrqueue.models.files.atomic import read_json, sync_folder, write_json
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.pruning.journal import Entry, EntryState

FILES, STAGED, JOURNAL = "files", "staged", "entry.json"
_GONE = ".gone-"


class Trash:
    """The entries of one directory."""

    def __init__(self, paths: DirectoryPaths) -> None:
        self._paths = paths

    def folder(self, entry: str) -> Path:
        """Where an entry lies."""
        return self._paths.trash / entry

    def entries(self) -> list[Entry]:
        """All entries, oldest first; what has no journal is left out."""
        return [entry for name in self._names() if (entry := self._read(name))]

    def _names(self) -> list[str]:
        try:
            return sorted(p.name for p in self._paths.trash.iterdir() if not p.name.startswith("."))
        except FileNotFoundError:
            return []

    def _read(self, name: str) -> Entry | None:
        record = read_json(self.folder(name) / JOURNAL)
        try:
            return Entry.parse(name, record) if record else None
        except (KeyError, TypeError, ValueError):
            return None

    def begin(self, entry: Entry) -> None:
        """Write the journal of an entry before its first step. Raises OSError."""
        folder = self.folder(entry.id)
        folder.mkdir()
        sync_folder(self._paths.trash)
        self.write(entry)

    def write(self, entry: Entry) -> None:
        """Write how far an entry is. Raises OSError."""
        write_json(self.folder(entry.id) / JOURNAL, entry.to_json())

    def settle(self, entry: Entry) -> Entry:
        """All steps are done: the model is in the trash."""
        shutil.rmtree(self.folder(entry.id) / STAGED, ignore_errors=True)
        done = replace(entry, state=EntryState.TRASHED)
        self.write(done)
        return done

    def discard(self, entry: str) -> None:
        """Delete an entry for good; one that was begun to be deleted is no entry any more. Raises OSError."""
        gone = self._paths.trash / f"{_GONE}{entry}"
        try:
            self.folder(entry).rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone)

    def sweep(self) -> None:
        """Delete what an earlier run began to delete, and entries that were never begun. Raises OSError."""
        for path in self._paths.trash.glob(f"{_GONE}*"):
            shutil.rmtree(path)
        for name in self._names():
            if all(file.name.startswith(".tmp-") for file in self.folder(name).iterdir()):
                shutil.rmtree(self.folder(name))  # killed between making the folder and writing the journal

    def size(self) -> int:
        """Bytes that deleting all entries would give back: files that nobody else links to."""
        files = {(s.st_dev, s.st_ino): s for s in _files(self._paths.trash)}
        own = [s for s in files.values() if s.st_nlink == 1]
        return sum(s.st_size for s in own)


def _files(folder: Path) -> Iterator[os.stat_result]:
    for base, _, names in os.walk(folder):
        for name in names:
            if name != JOURNAL:
                about = Path(base, name).lstat()
                if not Path(base, name).is_symlink():
                    yield about
