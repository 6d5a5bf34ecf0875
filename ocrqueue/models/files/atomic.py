"""Writing files atomically, and reading them back."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ocrqueue.process.disk import sync_folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all, and sync it to disk. Raises OSError."""
    number, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), plain_mode())  # so that other users of the directory can read it
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    sync_folder(path.parent)


def plain_mode() -> int:
    """The permissions that this process gives to a new file, from its umask."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object with `write_whole`. Raises OSError."""
    write_whole(path, json.dumps(value, indent=1).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None if the file is missing, unreadable or no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_time(value: object) -> bool:
    """Whether a value of a JSON file can be a time in seconds since 1970, before the year 9999."""
    return type(value) in (int, float) and 0 <= value < 253_370_764_800  # type: ignore[operator]


def is_size(value: object) -> bool:
    """Whether a value of a JSON file can be a number of bytes."""
    return type(value) is int and 0 <= value < 1 << 63
