"""The keep list: models that are never pruned. A file that people may edit: a name a line, `#` begins a remark.

A name with odd characters stands there as a JSON string.
"""

import json
from collections.abc import Iterator

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.paths import Layout, write_whole

_HEAD = "# Models that are never pruned: NAME or NAME@REVISION, one a line.\n"


def read_keep(layout: Layout) -> frozenset[str]:
    """What is on the list. Raises ModelDirectoryError where it cannot be read: then nothing may be pruned."""
    return frozenset(entry for _, entry in _lines(layout) if entry)


def add_keep(layout: Layout, entry: str) -> bool:
    """Put a name on the list; False where it stands there already. Raises ModelDirectoryError."""
    lines = list(_lines(layout))
    if entry in {known for _, known in lines}:
        return False
    _write(layout, [*(line for line, _ in lines), _shown(entry)])
    return True


def remove_keep(layout: Layout, entry: str) -> bool:
    """Take a name off the list; False where it is not there. Raises ModelDirectoryError."""
    lines = list(_lines(layout))
    left = [line for line, known in lines if known != entry]
    if len(left) == len(lines):
        return False
    _write(layout, left)
    return True


def _lines(layout: Layout) -> Iterator[tuple[str, str | None]]:
    """(line, the name on it) of each line."""
    try:
        text = layout.keep.read_text(encoding="utf-8") if layout.keep.exists() else _HEAD
        for number, line in enumerate(text.splitlines(), 1):
            yield line, _entry(line, number)
    except (OSError, ValueError) as e:
        raise ModelDirectoryError(f"the keep list {layout.keep} cannot be read: {e}; mend it, or remove it") from e


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


def _write(layout: Layout, lines: list[str]) -> None:
    try:
        write_whole(layout.keep, "".join(f"{line}\n" for line in lines).encode())
    except OSError as e:
        raise ModelDirectoryError(f"the keep list {layout.keep} cannot be written: {e.strerror}") from e
