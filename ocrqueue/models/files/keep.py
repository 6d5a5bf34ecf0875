"""The keep list: models that are never pruned. A file that people may edit: a name a line, `#` begins a remark.

A name with odd characters stands there as a JSON string.
"""

import json
from collections.abc import Iterator

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.atomic import write_whole
from ocrqueue.models.files.paths import DirectoryPaths

_HEAD = "# Models that are never pruned: NAME or NAME@REVISION, one a line.\n"


def read_keep(paths: DirectoryPaths) -> frozenset[str]:
    """What is on the list. Raises ModelDirectoryError where it cannot be read: then nothing may be pruned."""
    return frozenset(entry for _, entry in _lines(paths) if entry)


def add_keep(paths: DirectoryPaths, entry: str) -> bool:
    """Put a name on the list; False where it stands there already. Raises ModelDirectoryError."""
    lines = list(_lines(paths))
    if entry in {known for _, known in lines}:
        return False
    _write(paths, [*(line for line, _ in lines), _shown(entry)])
    return True


def remove_keep(paths: DirectoryPaths, entry: str) -> bool:
    """Take a name off the list; False where it is not there. Raises ModelDirectoryError."""
    lines = list(_lines(paths))
    left = [line for line, known in lines if known != entry]
    if len(left) == len(lines):
        return False
    _write(paths, left)
    return True


def _lines(paths: DirectoryPaths) -> Iterator[tuple[str, str | None]]:
    """(line, the name on it) of each line."""
    try:
        text = paths.keep.read_text(encoding="utf-8") if paths.keep.exists() else _HEAD
        for number, line in enumerate(text.splitlines(), 1):
            yield line, _entry(line, number)
    except (OSError, ValueError) as e:
        raise ModelDirectoryError(f"the keep list {paths.keep} cannot be read: {e}; mend it, or remove it") from e


def _entry(line: str, number: int) -> str | None:
    given = line.strip()
    if not given or given.startswith("#"):
        return None
    if not given.startswith('"'):
        return given
    try:
        return str(json.loads(given))
    except ValueError as e:
        raise ValueError(f"line {number} is no JSON string") from e


def _shown(entry: str) -> str:
    plain = entry.isprintable() and entry == entry.strip() and entry[:1] not in ("#", '"')
    return entry if plain else json.dumps(entry)


def _write(paths: DirectoryPaths, lines: list[str]) -> None:
    try:
        write_whole(paths.keep, "".join(f"{line}\n" for line in lines).encode())
    except OSError as e:
        raise ModelDirectoryError(f"the keep list {paths.keep} cannot be written: {e.strerror}") from e
