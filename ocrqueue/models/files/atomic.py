"""Files that are written whole or not at all, and are on disk once they are written."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


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
