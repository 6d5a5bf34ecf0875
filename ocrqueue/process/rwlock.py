"""A lock between processes: shared by many, or exclusive to one. It is free as soon as its holder dies."""

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ReadWriteLock:
    """A lock named `name` in a file that holds many of them. Each locks two bytes of the file; nothing is written.

    A process that wants the lock exclusively waits for those that share it; later processes wait for that process.
    Make it once in a process, or before forking; not for threads. Raises OSError if the file cannot be made.
    """

    def __init__(self, path: Path, name: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._gate = 2 * (zlib.crc32(name.encode()) >> 2)  # two names with the same number only wait for each other
        self._room = self._gate + 1

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it together with others."""
        with self._held(self._gate, fcntl.LOCK_EX):
            self._lock(self._room, fcntl.LOCK_SH)
        try:
            yield
        finally:
            self._lock(self._room, fcntl.LOCK_UN)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold it alone."""
        with self._held(self._gate, fcntl.LOCK_EX), self._held(self._room, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _held(self, byte: int, how: int) -> Iterator[None]:
        self._lock(byte, how)
        try:
            yield
        finally:
            self._lock(byte, fcntl.LOCK_UN)

    def _lock(self, byte: int, how: int) -> None:
        fcntl.lockf(self._file, how, 1, byte)
