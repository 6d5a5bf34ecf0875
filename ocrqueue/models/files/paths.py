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
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ocrqueue.errors import ModelDirectoryError

STATE = ".ocr-queue"
_LONGEST = 180  # bytes of a quoted name; file names may have 255


class Layout:
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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; it is on disk when this returns. Raises OSError."""
    number, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), plain_mode())  # other users of the directory may read it
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    sync_folder(path.parent)


def plain_mode() -> int:
    """The mode of a new file, as this process makes them."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def sync_folder(folder: Path) -> None:
    """See to it that names in a folder are on disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object as JSON, whole or not at all."""
    write_whole(path, json.dumps(value, indent=1).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """An object that `write_json` wrote; None where it is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
