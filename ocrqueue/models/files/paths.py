"""Where things are in a model directory: the models, and `.ocr-queue` with all that is ours.

.ocr-queue/id              names this directory, on every machine that mounts it
           keep            the keep list
           lock            held by whoever moves models
           locks/<model>   held by whoever has it loaded
           stamps/<model>  when we pulled and loaded it
           hashes.json     which files were read in full, and when
           trash/<entry>/  pruned models
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from ocrqueue.errors import ModelDirectoryError

STATE = ".ocr-queue"
_LONGEST = 180  # bytes of a quoted name; file names may have 255


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
        """Make the directory and our folders in it. Raises ModelDirectoryError."""
        for folder in (self.root, self.state, self.locks, self.stamps, self.trash):
            try:
                folder.mkdir(parents=folder == self.root, exist_ok=True)
            except OSError as e:
                raise ModelDirectoryError(
                    f"the model directory {self.root} cannot be used: {folder}: {e.strerror}; "
                    "let this user write there, or set OCR_MODEL_DIR to another folder"
                ) from e
            if folder != self.root and folder.is_symlink():
                raise ModelDirectoryError(f"{folder} is a link: remove it, models are moved inside {self.root} only")

    def lock_file(self, key: str) -> Path:
        """The file whose lock says that a model is in use; never inside the model's folder."""
        return self.locks / quoted(key)

    def stamp_file(self, key: str) -> Path:
        """Where it stands when we pulled and loaded a model."""
        return self.stamps / f"{quoted(key)}.json"

    def relative(self, path: str | Path) -> str:
        """A path inside the directory, as it stands in journals."""
        return os.path.relpath(path, self.root)


def quoted(key: str) -> str:
    """A file name for any model's name, whatever letters are in it."""
    name = quote(os.fsencode(key), safe="@ ")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}~{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}"
