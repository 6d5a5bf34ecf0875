"""The keep list: a file with the models that are never pruned, which people may edit.

Each line has one name. Lines that begin with `#` are comments. A name with special characters is a JSON string.
"""

import json
from collections.abc import Iterator

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.atomic import write_whole
from ocrqueue.models.files.paths import DirectoryPaths

_HEAD = "# Models that are never pruned: one NAME or NAME@REVISION per line.\n"


def read_keep(paths: DirectoryPaths) -> frozenset[str]:
    """The names on the list. Raises ModelDirectoryError if it cannot be read: then nothing may be pruned."""
    return frozenset(entry for _, entry in _lines(paths) if entry)


def add_keep(paths: DirectoryPaths, entry: str) -> bool:
    """Add a name to the list. Returns False if it is on the list already. Raises ModelDirectoryError."""
    lines = list(_lines(paths))
    if entry in {known for _, known in lines}:
        return False
    _write(paths, [*(line for line, _ in lines), _shown(entry)])
    return True


def remove_keep(paths: DirectoryPaths, entry: str) -> bool:
    """Remove a name from the list. Returns False if it is not on the list. Raises ModelDirectoryError."""
    lines = list(_lines(paths))
    left = [line for line, known in lines if known != entry]
    if len(left) == len(lines):
        return False
    _write(paths, left)
    return True


def _lines(paths: DirectoryPaths) -> Iterator[tuple[str, str | None]]:
    """Each line with the name on it; None for an empty line or a comment."""
    try:
        text = paths.keep.read_text(encoding="utf-8") if paths.keep.exists() else _HEAD
        for number, line in enumerate(text.splitlines(), 1):
            yield line, _entry(line, number)
    except (OSError, ValueError) as e:
        raise ModelDirectoryError(f"the keep list {paths.keep} cannot be read: {e}; correct it, or remove it") from e


def _entry(line: str, number: int) -> str | None:
    given = line.strip()
    if not given or given.startswith("#"):
        return None
    if not given.startswith('"'):
        return given
    try:
        return str(json.loads(given))
    except ValueError as e:
        raise ValueError(f"line {number} is not a JSON string") from e


def _shown(entry: str) -> str:
    plain = entry.isprintable() and entry == entry.strip() and entry[:1] not in ("#", '"')
    return entry if plain else json.dumps(entry)


def _write(paths: DirectoryPaths, lines: list[str]) -> None:
    try:
        write_whole(paths.keep, "".join(f"{line}\n" for line in lines).encode())
    except OSError as e:
        raise ModelDirectoryError(f"the keep list {paths.keep} cannot be written: {e.strerror}") from e
