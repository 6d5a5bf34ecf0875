"""Comparing the content of files with their hashes. Results are stored, so that files are not read every time.

A blob of Hugging Face's cache has the hash of its content as name: SHA-256 for large files, git's SHA-1 for others.
"""

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrqueue.models.files.atomic import is_time, read_json, write_json
from ocrqueue.models.files.catalogue import Found, Kind
from ocrqueue.models.files.checks import listing
from ocrqueue.models.files.contents import HUB_FOLDER, FileState, ModelFile
from ocrqueue.models.files.paths import DirectoryPaths

_CHUNK = 1 << 20  # bytes read at a time
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(slots=True)
class Budget:
    """How much an audit may read in full."""

    after: float | None  # read a file again after so many seconds; 0: read every file; None: read no file
    seconds: float | None = None  # stop reading after so many seconds; None: no limit
    started: float = 0.0  # when the audit began, on the monotonic clock

    @property
    def spent(self) -> bool:
        """Whether no more may be read."""
        return self.after is None or (self.seconds is not None and time.monotonic() - self.started > self.seconds)


class Hashes:
    """The stored results: {path: [size, mtime_ns, expected hash, whether the content had it, seconds since 1970]}."""

    def __init__(self, paths: DirectoryPaths, now: float) -> None:
        self._paths = paths
        self._now = now
        stored = (read_json(paths.hashes) or {}).get("files")
        self._known: dict[str, list[Any]] = {
            path: result
            for path, result in (stored.items() if isinstance(stored, dict) else ())
            if isinstance(result, list) and len(result) == 5 and is_time(result[4])
        }
        self._changed = False
        self._results: dict[str, bool | None] = {}  # by path, in this run; None: not known

    def problems(self, found: Found, files: Iterable[ModelFile], budget: Budget) -> list[str]:
        """A message for each file whose content differs from its hash, as far as is known or the budget allows."""
        noted = listing(found)
        wrong = []
        for file in files:
            if file.state != FileState.OK or not (expected := _expected(found, file, noted)):
                continue
            if file.real not in self._results:
                self._results[file.real] = self._right(file, expected, budget)
            if self._results[file.real] is False:
                wrong.append(f"{file.name}: its content differs from the hub's (another hash)")
        return wrong

    def save(self) -> None:
        """Store the results of all files that still exist. Raises OSError."""
        if self._changed:
            root = str(self._paths.root)
            there = {k: v for k, v in self._known.items() if os.path.lexists(f"{root}/{k}")}
            write_json(self._paths.hashes, {"version": 1, "files": there})

    def _right(self, file: ModelFile, expected: str, budget: Budget) -> bool | None:
        """Whether a file has the hash; None if this is not known."""
        key = self._paths.relative(file.real)
        known = self._known.get(key)
        if known is not None and known[:3] != [file.size, file.mtime_ns, expected]:
            known = None
        due = budget.after is not None and (known is None or self._now - known[4] >= budget.after)
        if budget.spent or not due:
            return bool(known[3]) if known else None
        try:
            right = file_hash(file.real, file.size, len(expected) == 40) == expected
        except OSError:
            return None
        self._known[key] = [file.size, file.mtime_ns, expected, right, self._now]
        self._changed = True
        return right


def file_hash(path: str, size: int, git: bool) -> str:
    """The hexadecimal SHA-256 of a file; with `git` the SHA-1 of "blob <size>", a zero byte and the content."""
    digest = hashlib.sha1(f"blob {size}\0".encode()) if git else hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 -- paths are strings here
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _expected(found: Found, file: ModelFile, noted: Any) -> str | None:
    about = noted.get(file.name, {})
    candidates = [file.etag, about.get("lfs_sha256"), about.get("blob_id")]
    if found.kind != Kind.CACHE:
        candidates = [_noted_etag(found, file)]
    return next((c for c in candidates if isinstance(c, str) and len(c) in (40, 64) and set(c) <= _HEXADECIMAL), None)


def _noted_etag(found: Found, file: ModelFile) -> str | None:
    """The etag that huggingface_hub stores for a file in a plain folder. Its lines are commit, etag and time."""
    note = Path(found.path, HUB_FOLDER, "download", f"{file.name}.metadata")
    with suppress(OSError, ValueError, IndexError):
        _, etag, when = note.read_text().splitlines()[:3]
        if file.mtime_ns / 1e9 <= float(when) + 1:  # a later change was made on purpose
            return etag
    return None
