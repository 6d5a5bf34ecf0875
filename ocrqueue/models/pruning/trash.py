"""The trash: pruned models. Each entry is complete, and has the journal of its steps.

    trash/<entry>/entry.json   the journal
                  files/...    the same folders as in the model directory, so that relative links stay valid
                  staged/...   hard links to files that other models need too, made before anything is moved

An entry whose name begins with `.gone-` is being deleted.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ocrqueue.models.files.atomic import read_json, write_json
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.pruning.journal import Entry, EntryState
from ocrqueue.process.disk import sync_folder

FILES, STAGED, JOURNAL = "files", "staged", "entry.json"
_GONE = ".gone-"


class Trash:
    """The trash of one model directory."""

    def __init__(self, paths: DirectoryPaths) -> None:
        self._paths = paths

    def folder(self, entry: str) -> Path:
        """The folder of the entry with this id."""
        return self._paths.trash / entry

    def entries(self) -> list[Entry]:
        """All entries, oldest first. Folders without a valid journal are left out."""
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
        """Create an entry and write its journal, before its first step. Raises OSError."""
        folder = self.folder(entry.id)
        folder.mkdir()
        sync_folder(self._paths.trash)
        self.write(entry)

    def write(self, entry: Entry) -> None:
        """Write the journal of an entry. Raises OSError."""
        write_json(self.folder(entry.id) / JOURNAL, entry.to_json())

    def settle(self, entry: Entry) -> Entry:
        """Mark an entry as trashed, once all its steps are done. Raises OSError."""
        shutil.rmtree(self.folder(entry.id) / STAGED, ignore_errors=True)
        done = replace(entry, state=EntryState.TRASHED)
        self.write(done)
        return done

    def discard(self, entry: str) -> None:
        """Delete an entry. It is renamed first, so that an entry is complete or does not exist. Raises OSError."""
        gone = self._paths.trash / f"{_GONE}{entry}"
        try:
            self.folder(entry).rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone)

    def sweep(self) -> None:
        """Delete entries whose deletion was interrupted, and entries without a journal. Raises OSError."""
        for path in self._paths.trash.glob(f"{_GONE}*"):
            shutil.rmtree(path)
        for name in self._names():
            if all(file.name.startswith(".tmp-") for file in self.folder(name).iterdir()):
                shutil.rmtree(self.folder(name))  # killed before the journal was written

    def size(self) -> int:
        """The bytes that deleting all entries would free: those of files without a hard link elsewhere."""
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
