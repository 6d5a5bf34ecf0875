"""Locks that the operating system drops when their holder dies: `flock` on files that are never removed."""

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

_POLL = 0.05  # seconds
_DIRECTORY_SECONDS = 60.0


def try_lock(path: Path, exclusive: bool) -> int | None:
    """A descriptor that holds the lock, or None where somebody else does. Raises ModelDirectoryError."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as e:
        raise ModelDirectoryError(f"{path} cannot be locked: {e.strerror}; let this user write there") from e
    try:
        fcntl.flock(number, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except OSError as e:
        os.close(number)
        raise ModelDirectoryError(
            f"{path} cannot be locked: {e.strerror}; choose a file system with locks for OCR_MODEL_DIR"
        ) from e
    return number


def wait_for_lock(path: Path, exclusive: bool, seconds: float) -> int | None:
    """As `try_lock`, but for so many seconds."""
    end = time.monotonic() + seconds
    while (number := try_lock(path, exclusive)) is None and time.monotonic() < end:
        time.sleep(_POLL)
    return number


def is_locked(path: Path) -> bool:
    """Whether anyone holds the lock, exclusively or not."""
    if not path.exists():
        return False
    number = try_lock(path, exclusive=True)
    if number is None:
        return True
    os.close(number)
    return False


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a lock exclusively; the value is False, and nothing is held, where somebody else holds it."""
    number = try_lock(path, exclusive=True)
    try:
        yield number is not None
    finally:
        if number is not None:
            os.close(number)


def pull_key(name: str) -> str:
    """The lock of whoever pulls a model, whichever revision."""
    return f"{name}@pull"


@contextmanager
def directory_lock(paths: DirectoryPaths) -> Iterator[None]:
    """Whoever moves models holds this; one at a time. Raises ModelDirectoryError after a minute."""
    number = wait_for_lock(paths.lock, exclusive=True, seconds=_DIRECTORY_SECONDS)
    if number is None:
        raise ModelDirectoryError(
            f"another prune or restore has worked on {paths.root} for a minute: try again when it is done"
        )
    try:
        yield
    finally:
        os.close(number)


def directory_id(paths: DirectoryPaths) -> str:
    """The directory's own id; made when it is first asked for. Raises ModelDirectoryError."""
    paths.prepare()
    with directory_lock(paths):
        known = paths.id.read_text().strip() if paths.id.exists() else ""
        if not known:
            known = uuid.uuid4().hex[:12]
            write_whole(paths.id, f"{known}\n".encode())
    return known
