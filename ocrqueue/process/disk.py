"""Writing to disk so that a power failure loses nothing, and a killed process leaves nothing for long."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = ".tmp-"  # beginning of the name of a file that is being written
_LEFT = (TEMPORARY, ".check-")  # of files that only a killed process leaves; older versions left the second kind
_SCRATCH = (
    "ocr-scratch-"  # of folders in TMPDIR, and of nothing else: the folder of the embedded Redis has another name
)


def sync_folder(folder: Path | str) -> None:
    """Write the names in a folder to disk, so that a new or renamed file survives a power failure. Raises OSError."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(number)


def remove_left(folder: Path, before: float) -> int:
    """Remove the files below a folder that killed processes left, unless written after `before`, in seconds since 1970.

    Returns how many.
    """
    removed = 0
    for base, _, names in os.walk(folder):
        for name in names:
            if name.startswith(_LEFT):
                with suppress(OSError):  # finished meanwhile; of another user
                    path = Path(base, name)
                    if path.lstat().st_mtime < before:
                        path.unlink()
                        removed += 1
    return removed


@contextmanager
def scratch() -> Iterator[Path]:
    """A private folder in TMPDIR, removed when the block ends. Those of killed processes are removed, too.

    Its owner locks it, and the operating system frees the locks of a dead process.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            number = _locked(left)
            shutil.rmtree(left, ignore_errors=True)
            os.close(number)
    while True:
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, ignore_cleanup_errors=True) as folder:
            try:
                number = _locked(Path(folder))
            except OSError:  # another process was about to remove it, as it was not locked yet
                continue
            try:
                if Path(folder).exists():
                    yield Path(folder)
                    return
            finally:
                os.close(number)


def _locked(folder: Path) -> int:
    """A file descriptor that holds the lock of a folder. Raises OSError if another process holds it."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        raise
    return number
