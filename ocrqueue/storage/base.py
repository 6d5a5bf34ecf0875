"""Where the spool's bytes are: a folder of this machine, or object storage behind any fsspec URL.

Both give the same few steps, and in both an object is there whole or not at all. A file that does not exist raises
FileNotFoundError; everything else that goes wrong raises StorageError with the path inside the spool and the reason.
"""

import errno
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol, cast

from ocrqueue.errors import StorageError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TEMPORARY = ".tmp-"


@dataclass(slots=True)
class Draft:
    """An object being written; it gets its name and becomes visible when the `writing` block ends without an error."""

    file: BinaryIO  # takes the bytes
    name: str  # may be set until the block ends


@dataclass(frozen=True, slots=True)
class Usage:
    """What one folder takes."""

    name: str
    bytes: int  # of all files below it
    changed: float  # when it was last written to or touched, in seconds since 1970


class Storage(Protocol):
    """A tree of objects. Paths are relative, parted by slashes."""

    url: str  # how messages name it

    def prepare(self) -> None:
        """Create the root where it does not exist."""
        ...

    def check(self) -> None:
        """Write and remove a small object. Raises StorageError with what to do."""
        ...

    def writing(self, folder: str, name: str, create: bool, durable: bool = True) -> AbstractContextManager[Draft]:
        """Write a new object in `folder`, and create the folder first if `create` is true.

        A `durable` object survives a power failure once the block has ended.
        """
        ...

    def reading(self, path: str) -> BinaryIO:
        """The object's bytes. Raises FileNotFoundError."""
        ...

    def local(self, path: str) -> AbstractContextManager[Path]:
        """The object as a file of this machine, for as long as the block lasts. Raises FileNotFoundError."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of what is directly in a folder, sorted; empty where there is no such folder."""
        ...

    def newest(self, folder: str) -> float | None:
        """When anything below a folder last changed, in seconds since 1970; None where there is nothing."""
        ...

    def usage(self, folder: str, size: Callable[[int], int]) -> list[Usage]:
        """What each folder in a folder takes, a file's length counted as `size` says."""
        ...

    def touch(self, folder: str) -> None:
        """Let a folder count as changed now. Missing is fine."""
        ...

    def remove(self, path: str) -> None:
        """Remove an object. Missing is fine."""
        ...

    def remove_tree(self, folder: str) -> None:
        """Remove a folder with all that is in it. Missing is fine."""
        ...


def is_full(error: BaseException) -> bool:
    """Whether a StorageError says that the disk, or the quota, is full."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL


def fail(path: str, error: BaseException) -> NoReturn:
    """Raise StorageError for whatever went wrong at a path inside the spool."""
    number = error.errno if isinstance(error, OSError) else None
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    advice = ""
    if number in FULL:
        advice = ": free some"
    elif number == errno.ENOENT:
        advice = ": the job has been dropped"
    elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = ": let this user write there, or share the spool through OCR_SPOOL_GROUP"
    raise StorageError(f"spool: {path}: {reason}{advice}") from error


def missing(path: str) -> FileNotFoundError:
    """The error for an object that is not there."""
    return FileNotFoundError(errno.ENOENT, "not in the spool", path)


class _File(io.FileIO):
    """A file whose failing writes are StorageErrors, whoever writes."""

    path = ""

    def write(self, data: Any, /) -> int:  # bytes-like, as FileIO takes it
        """Write bytes; raises StorageError."""
        try:
            return super().write(data) or 0
        except OSError as error:
            fail(self.path, error)


def _temporary(folder: Path | None, path: str) -> tuple[Path, BinaryIO]:
    """A new private file, and a buffered writer to it."""
    number, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=folder)
    raw = _File(number, "wb")
    raw.path = path
    return Path(name), cast("BinaryIO", io.BufferedWriter(raw, 1 << 18))


@contextmanager
def drafted(folder: Path | None, shown: str, name: str, commit: Callable[[Path, Draft], None]) -> Iterator[Draft]:
    """Write to a temporary file, and `commit` it; whatever happens, no temporary file is left."""
    try:
        temporary, file = _temporary(folder, f"{shown}/{name}")
    except OSError as error:
        fail(f"{shown}/{name}", error)
    draft = Draft(file, name)
    try:
        yield draft
        try:
            file.flush()
            commit(temporary, draft)
        except OSError as error:
            fail(f"{shown}/{draft.name}", error)
    finally:
        with suppress(StorageError, OSError, ValueError):
            file.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
