"""Copies of documents from object storage on this machine, so that each document is downloaded once, not for each page.

    sources/<name>         the document of a job; <name> is "<job>.<file>"
            <name>.part    a download that has not finished
            <name>.lock    locked while a process reads the copy (shared) or downloads it (exclusive)
            .workers       locked, shared, by the parent process of each worker that uses the folder

The name of the file is part of it because a job that is removed and submitted again with the same key may have another
document.

The folder is private to its user. All workers with the same data folder share it. A copy is removed when its job has
ended, or to make room for others. The last worker that stops empties the folder; so does a worker that starts while no
other one runs, because a killed worker could not. The operating system frees the locks of a dead process.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ocrqueue.errors import StorageError
from ocrqueue.process.watchdog import off_the_clock

log = logging.getLogger(__name__)
_PART, _LOCK, _WORKERS = ".part", ".lock", ".workers"


class SourceCopies:
    """The copies in one folder, which is made when it is needed."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes  # of all copies; those in use are not removed and may together be larger
        self._workers: int | None = None  # file descriptor of the file .workers

    def start(self) -> None:
        """Use the folder until `stop`; empty it first if no other worker uses it. Raises StorageError.

        For the parent process of a worker, before its children start.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._workers = os.open(self._folder / _WORKERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._empty_if_unused()
            fcntl.lockf(self._workers, fcntl.LOCK_SH)
        except OSError as e:
            raise StorageError(f"{self._folder} cannot be written ({e.strerror}): let this user write there") from e

    def stop(self) -> None:
        """End the use of the folder; empty it if no other worker uses it. Does nothing before `start`."""
        if self._workers is not None:
            with suppress(OSError):
                self._empty_if_unused()
            os.close(self._workers)
            self._workers = None

    @contextmanager
    def open(self, name: str, download: Callable[[Path], None]) -> Iterator[Path]:
        """The copy with this name, "<job>.<file>". It is not removed before the block ends.

        `download` writes the document to a path. It is called only if there is no copy, by one process at a time.
        Raises what `download` raises, and StorageError.
        """
        try:
            with off_the_clock():  # also while another process downloads it
                lock = self._locked_copy(name, download)
        except FileNotFoundError:  # of `download`
            raise
        except OSError as e:
            raise StorageError(f"{self._folder / name}: {e.strerror}: look at OCR_DATA_DIR") from e
        try:
            yield self._folder / name
        finally:
            os.close(lock)

    def jobs(self) -> list[str]:
        """Ids of the jobs that have a copy, or a part of one."""
        return sorted({_job(name) for name in self._names()})

    def remove(self, job: str) -> bool:
        """Remove the copies of a job that no process uses. Returns whether all were removed."""
        removed = [self._remove(name) for name in self._names() if _job(name) == job]
        return all(removed)

    def _names(self) -> list[str]:
        """Names of the copies, also of those that are not downloaded yet."""
        try:
            return [file.name.removesuffix(_LOCK) for file in self._folder.glob("*" + _LOCK)]
        except OSError:
            return []

    def _remove(self, name: str) -> bool:
        """Remove a copy if no process uses it. Returns whether it was removed."""
        try:
            lock = self._lock(name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use
            return False
        try:
            for suffix in ("", _PART, _LOCK):
                (self._folder / (name + suffix)).unlink(missing_ok=True)
        except OSError as e:
            log.warning("job=%s: the copy of its document cannot be removed: %s", _job(name), e)
            return False
        finally:
            os.close(lock)
        return True

    def _locked_copy(self, name: str, download: Callable[[Path], None]) -> int:
        """A file descriptor that holds the shared lock of a copy, which exists."""
        copy = self._folder / name
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            lock = self._lock(name, fcntl.LOCK_SH)
            if copy.exists():
                os.utime(copy)  # the time of the last use
                return lock
            os.close(lock)
            lock = self._lock(name, fcntl.LOCK_EX)
            try:
                if not copy.exists():
                    self._download(copy, download)
            finally:
                os.close(lock)

    def _download(self, copy: Path, download: Callable[[Path], None]) -> None:
        part = copy.with_name(copy.name + _PART)
        try:
            download(part)
            part.chmod(0o600)
            part.replace(copy)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(copy)

    def _make_room(self, new: Path) -> None:
        """Remove copies until all are within the limit: those first that were not used for the longest time."""
        copies = []
        for name in self._names():
            with suppress(FileNotFoundError):  # another process removed the copy, or did not download it yet
                copies.append(((self._folder / name).stat(), self._folder / name))
        total = sum(about.st_size for about, _ in copies)
        for about, file in sorted(copies, key=lambda copy: copy[0].st_mtime):
            if total <= self._max_bytes:
                break
            if file != new and self._remove(file.name):
                total -= about.st_size

    def _lock(self, name: str, how: int) -> int:
        """A file descriptor that holds the lock of a copy. Closing it frees the lock.

        Raises BlockingIOError with LOCK_NB if another process holds the lock.
        """
        path = self._folder / (name + _LOCK)
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, how)
                if os.path.samestat(os.fstat(lock), path.stat()):
                    return lock
                os.close(lock)
            except FileNotFoundError:  # the file was removed while this process waited for the lock
                os.close(lock)
            except BaseException:
                os.close(lock)
                raise

    def _empty_if_unused(self) -> None:
        """Remove all files if no other worker uses the folder. Holds the lock of .workers alone afterwards, or not.

        Copies in use stay: a child whose parent process was killed finishes its task before it ends.
        """
        assert self._workers is not None
        try:
            fcntl.lockf(self._workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another worker holds it
            return
        in_use = {name for name in self._names() if not self._remove(name)}
        for file in self._folder.iterdir():
            if file.name != _WORKERS and file.name.removesuffix(_LOCK).removesuffix(_PART) not in in_use:
                file.unlink(missing_ok=True)


def _job(name: str) -> str:
    """The id of the job that a copy belongs to."""
    return name.partition(".")[0]
