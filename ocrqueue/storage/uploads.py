"""Documents that arrive over the network, in a folder of their own until a job takes them.

A process locks a file while it receives it. The operating system frees the locks of a dead process, so `sweep` knows
which files nobody will ever finish.
"""

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from ocrqueue.errors import StorageError


class Upload:
    """One file of the folder, which only this process writes. `Uploads.open` makes it. For one thread at a time."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.bytes = 0  # written
        self._number = number  # file descriptor; holds the lock
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the bytes that were written, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, data: bytes | bytearray) -> None:
        """Append bytes. Raises StorageError."""
        left = memoryview(data)
        self._digest.update(left)
        self.bytes += len(left)
        try:
            while left:
                left = left[os.write(self._number, left) :]
        except OSError as error:
            raise _failure(self.path.parent, error) from error

    def discard(self) -> None:
        """Remove the file, unless a job has taken it, and free the lock. May be called twice."""
        number, self._number = self._number, -1
        if number >= 0:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            os.close(number)


class Uploads:
    """The folder of uploads. Several processes may share it, also over a network file system with locks.

    Folder and files are private to their user (modes 0700 and 0600), or shared with a group (modes 02770 and 0660), as
    a local spool is.
    """

    def __init__(self, folder: Path, gid: int | None = None) -> None:
        self.folder = folder
        self._gid = gid  # id of the group; None: private

    def open(self) -> Upload:
        """A new, empty file, which nobody outside the group can read. Raises StorageError."""
        path = self.folder / str(uuid4())
        try:
            with suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)  # not its parents: a spool that is not mounted stays missing
                self._share(self.folder, 0o2770)
            while True:
                number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(number, fcntl.LOCK_EX)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(number), path.stat()):
                        self._share(number, 0o660)
                        return Upload(path, number)
                os.close(number)  # `sweep` of another process removed it before it was locked
        except OSError as error:
            raise _failure(self.folder, error, self._gid) from error

    def sweep(self) -> int:
        """Remove the files of processes that were killed. Returns how many. Raises StorageError."""
        try:
            return sum(_is_removed(path) for path in self.folder.iterdir())
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _failure(self.folder, error, self._gid) from error

    def _share(self, file: Path | int, mode: int) -> None:
        """Give a file or folder, which this process has made, to the group. Raises OSError."""
        if self._gid is not None:
            os.chown(file, -1, self._gid)
            os.chmod(file, mode)  # noqa: PTH101 -- `file` may be a descriptor


def _failure(folder: Path, error: OSError, gid: int | None = None) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{folder.parent} is not there: mount or create it, or set OCR_SPOOL_URL or OCR_DATA_DIR")
    reason = error.strerror or type(error).__name__
    advice = "free space, or let this user write there"
    if gid is not None and isinstance(error, PermissionError):
        shared = f"chgrp {gid} {folder} && chmod 2770 {folder}"
        advice = f"let the group of OCR_SPOOL_GROUP write there: as the folder's owner, run `{shared}`"
    return StorageError(f"uploads cannot be kept in {folder} ({reason}): {advice}")


def _is_removed(path: Path) -> bool:
    """Remove a file unless a process holds its lock. Returns whether it was removed."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # removed meanwhile; of another user
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # a process is still receiving it
        return False
    finally:
        os.close(number)
    return True
