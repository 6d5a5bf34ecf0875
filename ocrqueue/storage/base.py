"""The interface of storage, and what its two kinds share: a folder of this machine, and object storage by fsspec URL.

An object is stored whole or not at all. An object that does not exist raises FileNotFoundError. Every other error is a
StorageError with the path inside the spool and the reason.
"""

import errno
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol, cast

from ocrqueue.errors import StorageError
from ocrqueue.process.disk import TEMPORARY, scratch

PIECE = 1 << 18  # bytes of an object that are sent at a time
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
CHECK = ".check"  # name of the object that `check` writes: always the same, so that no more than one is ever left


@dataclass(slots=True)
class Draft:
    """An object that is being written. It becomes visible when the `writing` block ends without an error."""

    file: BinaryIO  # the bytes are written to it
    name: str  # may be changed until the block ends


@dataclass(frozen=True, slots=True)
class Usage:
    """The size of one folder."""

    name: str
    bytes: int  # of all files below the folder
    changed: float  # last write or touch, in seconds since 1970


class Content(Protocol):
    """An object that is open, to be sent whole or in part. To be closed."""

    size: int  # bytes
    version: str  # letters and digits; others if the content is another

    def part(self, first: int, length: int) -> Iterator[bytes]:
        """So many bytes from `first` on, in short pieces. Raises StorageError."""
        ...

    def close(self) -> None:
        """Free what is open."""
        ...


class Storage(Protocol):
    """A tree of objects. Paths are relative; their parts are separated by slashes."""

    url: str  # for error messages

    def prepare(self) -> None:
        """Create the root if it does not exist."""
        ...

    def check(self) -> None:
        """Write and remove a small object. Raises StorageError with what to do."""
        ...

    def writing(self, folder: str, name: str, create: bool, durable: bool = True) -> AbstractContextManager[Draft]:
        """Write a new object in `folder`, and create the folder first if `create` is true.

        A `durable` object survives a power failure once the block has ended.
        """
        ...

    def together(self) -> AbstractContextManager[None]:
        """Objects that are written in the block are visible, and survive a power failure, once the block has ended.

        That costs less than to write each for itself. Some may be visible before. Raises StorageError at the end.
        """
        ...

    def adopt(self, file: Path, folder: str, name: str) -> None:
        """Move a complete file of this machine into `folder`, which is created if it does not exist. It is durable.

        The file may stay where it was; its owner removes it then.
        """
        ...

    def reading(self, path: str) -> BinaryIO:
        """Open an object for reading. Raises FileNotFoundError."""
        ...

    def content(self, path: str) -> Content:
        """Open an object for sending it. Object storage sends what is asked for only. Raises FileNotFoundError."""
        ...

    def ahead(self, paths: Iterable[str]) -> Iterator[Callable[[], BinaryIO]]:
        """What `reading` does, as a function for each path. Object storage fetches the next ones meanwhile."""
        ...

    def local(self, path: str) -> AbstractContextManager[Path]:
        """The object as a file of this machine, until the block ends. Raises FileNotFoundError."""
        ...

    def exists(self, path: str) -> bool:
        """Whether an object exists."""
        ...

    def names(self, folder: str) -> list[str]:
        """Sorted names of the objects and folders directly in a folder; empty if the folder does not exist."""
        ...

    def newest(self, folder: str) -> float | None:
        """The last change of anything below a folder, in seconds since 1970; None if the folder does not exist."""
        ...

    def usage(self, folder: str, size: Callable[[int], int]) -> list[Usage]:
        """The size of each folder in a folder. `size` turns the length of a file into the bytes it takes."""
        ...

    def touch(self, folder: str) -> None:
        """Set the last change of a folder to now. Does nothing if the folder does not exist."""
        ...

    def remove(self, path: str) -> None:
        """Remove an object. Does nothing if it does not exist."""
        ...

    def remove_tree(self, folder: str) -> None:
        """Remove a folder with its content. Does nothing if it does not exist."""
        ...

    def sweep(self, before: float) -> int:
        """Remove what killed processes left before this time, in seconds since 1970. Returns how many files."""
        ...


class FileContent:
    """A `Content` that is a file which can seek."""

    def __init__(self, file: BinaryIO, size: int, version: str) -> None:
        self.size = size
        self.version = version
        self._file = file

    def part(self, first: int, length: int) -> Iterator[bytes]:
        """So many bytes from `first` on, in short pieces."""
        self._file.seek(first)
        while length and (piece := self._file.read(min(PIECE, length))):
            length -= len(piece)
            yield piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def is_full(error: BaseException) -> bool:
    """Whether a StorageError was raised because the disk or the quota is full."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL


def fail(path: str, error: BaseException) -> NoReturn:
    """Raise StorageError for an error at a path inside the spool, with advice where there is some."""
    number = error.errno if isinstance(error, OSError) else None
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    advice = ""
    if number in FULL:
        advice = ": free some"
    elif number == errno.ENOENT:
        advice = ": the job has been dropped"
    elif number == errno.EROFS:
        advice = ": mount it for writing; under systemd, name it in ReadWritePaths"
    elif number in (errno.EACCES, errno.EPERM):
        advice = ": let this user write there, or share the spool through OCR_SPOOL_GROUP"
    raise StorageError(f"spool: {path}: {reason}{advice}") from error


def missing(path: str) -> FileNotFoundError:
    """The error for an object that does not exist."""
    return FileNotFoundError(errno.ENOENT, "not in the spool", path)


def one_by_one(reading: Callable[[str], BinaryIO], paths: Iterable[str]) -> Iterator[Callable[[], BinaryIO]]:
    """`Storage.ahead` where nothing is gained by asking early."""
    return (partial(reading, path) for path in paths)


class _File(io.FileIO):
    """A file whose `write` raises StorageError, so that libraries which write to it raise no OSError."""

    path = ""

    def write(self, data: Any, /) -> int:  # bytes-like, as FileIO takes it
        """Write bytes. Raises StorageError."""
        try:
            return super().write(data) or 0
        except OSError as error:
            fail(self.path, error)


def _temporary(folder: str | None, path: str) -> tuple[str, BinaryIO]:
    """A new private file in `folder`, and a buffered writer for it. `path` is for error messages."""
    number, name = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
    raw = _File(number, "wb")
    raw.path = path
    return name, cast("BinaryIO", io.BufferedWriter(raw, 1 << 18))


@contextmanager
def private_copy(path: str, download: Callable[[str, Path], None]) -> Iterator[Path]:
    """A copy of the object `path`, which `download` writes; removed when the block ends."""
    with scratch() as folder:
        copy = folder / Path(path).name
        download(path, copy)
        yield copy


@contextmanager
def unnamed(path: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A file of this machine without a name, so that a killed process leaves none: to write to, and to read from.

    `path` is for error messages. Raises StorageError.
    """
    try:
        content = tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    except OSError as error:
        fail(path, error)
    with cast("BinaryIO", content):
        raw = _File(os.dup(content.fileno()), "wb")
        raw.path = path
        file = cast("BinaryIO", io.BufferedWriter(raw, 1 << 18))
        try:
            yield file, cast("BinaryIO", content)
        finally:
            with suppress(StorageError, OSError, ValueError):
                file.close()


@contextmanager
def drafted(folder: str | None, shown: str, name: str, commit: Callable[[str, Draft], None]) -> Iterator[Draft]:
    """Write to a temporary file in `folder`, then `commit` its path, which takes the file away, or removes it.

    Without a `commit` that succeeds, it is removed here. `shown` is the folder in error messages. Raises StorageError.
    """
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
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 -- many small files: paths as text
        raise
    finally:
        with suppress(StorageError, OSError, ValueError):
            file.close()
