"""File locks (`flock`), which the operating system releases when their process ends. Lock files are never removed."""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.atomic import write_whole
from ocrqueue.models.files.paths import DirectoryPaths

_POLL = 0.05  # seconds between two attempts to lock
_DIRECTORY_SECONDS = 60.0  # how long to wait for the lock of the directory


def try_lock(path: Path, exclusive: bool, access: int = os.O_RDWR | os.O_CREAT) -> int | None:
    """Lock a file without waiting: a file descriptor that holds the lock, or None if another process holds it.

    Closing the descriptor releases the lock. Raises ModelDirectoryError if the file cannot be opened or locked.
    """
    try:
        number = os.open(path, access | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as e:
        raise ModelDirectoryError(f"{path} cannot be locked: {e.strerror}; give this user write permission") from e
    try:
        fcntl.flock(number, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except OSError as e:
        os.close(number)
        raise ModelDirectoryError(
            f"{path} cannot be locked: {e.strerror}; set OCR_MODEL_DIR to a file system that supports locks"
        ) from e
    return number


def wait_for_lock(path: Path, exclusive: bool, seconds: float) -> int | None:
    """Like `try_lock`, but try again for `seconds`."""
    end = time.monotonic() + seconds
    while (number := try_lock(path, exclusive)) is None and time.monotonic() < end:
        time.sleep(_POLL)
    return number


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock, exclusive or shared. It need not be writable. Raises ModelDirectoryError."""
    if not path.exists():
        return False
    number = try_lock(path, exclusive=True, access=os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY)
    if number is None:
        return True
    os.close(number)
    return False


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock during the block. The value is False if another process holds it; then nothing is held."""
    number = try_lock(path, exclusive=True)
    try:
        yield number is not None
    finally:
        if number is not None:
            os.close(number)


def pull_key(name: str) -> str:
    """The key of the lock that a process holds while it pulls any revision of a model."""
    return f"{name}@pull"


@contextmanager
def directory_lock(paths: DirectoryPaths) -> Iterator[None]:
    """Hold the lock that a process needs to move models. Raises ModelDirectoryError if it is not free in a minute."""
    number = wait_for_lock(paths.lock, exclusive=True, seconds=_DIRECTORY_SECONDS)
    if number is None:
        raise ModelDirectoryError(
            f"another prune or restore of {paths.root} has not finished for a minute: try again when it is done"
        )
    try:
        yield
    finally:
        os.close(number)


def directory_id(paths: DirectoryPaths) -> str:
    """The id of the directory, 12 hexadecimal digits. The first call creates it. Raises ModelDirectoryError."""
    paths.prepare()
    with directory_lock(paths):
        known = paths.id.read_text().strip() if paths.id.exists() else ""
        if not known:
            known = uuid.uuid4().hex[:12]
            write_whole(paths.id, f"{known}\n".encode())
    return known
