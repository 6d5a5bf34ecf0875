"""The paths of a model directory. It contains the models, and the folder `.ocr-queue` with files of OCR Queue.

.ocr-queue/id              the id of this directory, the same on every machine that mounts it
           keep            the keep list
           lock            locked by a process that moves models
           locks/<model>   locked by the processes that have this model loaded
           stamps/<model>  when OCR Queue pulled and loaded this model
           hashes.json     which files were read in full, and when
           trash/<entry>/  pruned models
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from ocrqueue.errors import ModelDirectoryError

STATE = ".ocr-queue"
_LONGEST = 180  # characters of a quoted name; file systems allow 255 bytes


class DirectoryPaths:
    """The paths of one model directory."""

    def __init__(self, folder: Path) -> None:
        self.root = Path(os.path.realpath(folder))
        self.state = self.root / STATE
        self.locks = self.state / "locks"
        self.stamps = self.state / "stamps"
        self.trash = self.state / "trash"
        self.keep = self.state / "keep"
        self.lock = self.state / "lock"
        self.hashes = self.state / "hashes.json"
        self.id = self.state / "id"

    def prepare(self) -> None:
        """Create the directory and the folders of `.ocr-queue`. Raises ModelDirectoryError if this is not possible."""
        for folder in (self.root, self.state, self.locks, self.stamps, self.trash):
            try:
                folder.mkdir(parents=folder == self.root, exist_ok=True)
            except OSError as e:
                raise ModelDirectoryError(
                    f"the model directory {self.root} cannot be used: {folder}: {e.strerror}; "
                    "give this user write permission, or set OCR_MODEL_DIR to another folder"
                ) from e
            if folder != self.root and folder.is_symlink():
                raise ModelDirectoryError(f"{folder} is a link: remove it, models are moved only inside {self.root}")

    def lock_file(self, key: str) -> Path:
        """The file that a process locks while it uses the model with this key; never inside the model's folder."""
        return self.locks / quoted(key)

    def stamp_file(self, key: str) -> Path:
        """The file that stores when the model with this key was pulled and loaded."""
        return self.stamps / f"{quoted(key)}.json"

    def relative(self, path: str | Path) -> str:
        """A path relative to the model directory, as journals store it."""
        return os.path.relpath(path, self.root)


def quoted(key: str) -> str:
    """A file name for a model's key, which may contain any characters. Long names end in a hash."""
    name = quote(os.fsencode(key), safe="@ ")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}~{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}"
