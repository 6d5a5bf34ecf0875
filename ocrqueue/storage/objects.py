"""Storage at an fsspec URL, such as s3://bucket/folder."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from ocrqueue.errors import StorageError
from ocrqueue.storage.base import (
    CHECK,
    Content,
    Draft,
    FileContent,
    Usage,
    drafted,
    fail,
    missing,
    one_by_one,
    private_copy,
)


class ObjectStorage:
    """Object storage at an fsspec URL. An object is complete on this machine before it is uploaded in one step."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opened: tuple[int, Any, str] | None = None
        self._connect()

    def prepare(self) -> None:
        """Does nothing: the owner of a bucket creates it."""

    def check(self) -> None:
        """Write and remove a small object. Raises StorageError with what to do."""
        try:
            fs, root = self._connect()
            fs.pipe_file(f"{root}/{CHECK}", b"ok")
            fs.rm_file(f"{root}/{CHECK}")
        except StorageError:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise StorageError(
                f"the spool {self.url} cannot be written: {reason}; look at OCR_SPOOL_URL and its credentials"
            ) from error

    @contextmanager
    def writing(self, folder: str, name: str, create: bool, durable: bool = True) -> Iterator[Draft]:  # noqa: ARG002
        """Write a new object: to a private file first, then to the storage in one step.

        There are no folders to create, and every object is durable.
        """

        def commit(temporary: str, draft: Draft) -> None:
            with self._errors(f"{folder}/{draft.name}") as (fs, root):
                fs.put_file(temporary, f"{root}/{folder}/{draft.name}")
            Path(temporary).unlink()

        with drafted(None, folder, name, commit) as draft:
            yield draft

    def together(self) -> AbstractContextManager[None]:
        """Does nothing: every object is durable."""
        return nullcontext()

    def adopt(self, file: Path, folder: str, name: str) -> None:
        """Upload a file of this machine in one step."""
        with self._errors(f"{folder}/{name}") as (fs, root):
            fs.put_file(str(file), f"{root}/{folder}/{name}")

    def reading(self, path: str) -> BinaryIO:
        """Open an object for reading. Raises FileNotFoundError."""
        with self._errors(path) as (fs, root):
            return cast("BinaryIO", fs.open(f"{root}/{path}", "rb"))

    def content(self, path: str) -> Content:
        """Open an object for sending it; fsspec's clients ask for the parts that are read. Raises FileNotFoundError."""
        file = self.reading(path)
        return FileContent(file, file.seek(0, os.SEEK_END), "0")

    def ahead(self, paths: Iterable[str]) -> Iterator[Callable[[], BinaryIO]]:
        """`reading` for each path."""
        return one_by_one(self.reading, paths)

    def local(self, path: str) -> AbstractContextManager[Path]:
        """A private copy, removed when the block ends. Raises FileNotFoundError."""
        return private_copy(path, self.download)

    def download(self, path: str, target: Path) -> None:
        """Copy the object to a file of this machine. Raises FileNotFoundError."""
        with self._errors(path) as (fs, root):
            fs.get_file(f"{root}/{path}", str(target))

    def exists(self, path: str) -> bool:
        """Whether an object exists."""
        with self._errors(path) as (fs, root):
            return bool(fs.exists(f"{root}/{path}"))

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder."""
        try:
            with self._errors(folder) as (fs, root):
                found = fs.ls(f"{root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return sorted({name for p in found if not (name := p.rstrip("/").rpartition("/")[2]).startswith(".")})

    def newest(self, folder: str) -> float | None:
        """The last write of an object below a folder, in seconds since 1970; None if there is none."""
        try:
            with self._errors(folder) as (fs, root):
                found = fs.find(f"{root}/{folder}", detail=True)
                return max((_changed(fs, path, about) for path, about in found.items()), default=None)
        except FileNotFoundError:
            return None

    def usage(self, folder: str, size: Callable[[int], int]) -> list[Usage]:
        """The size of each folder in a folder, from one listing of all objects below it."""
        with self._errors(folder) as (fs, root):
            found: dict[str, list[tuple[int, float]]] = defaultdict(list)
            for path, about in fs.find(f"{root}/{folder}", detail=True).items():
                name = path.partition(f"{root}/{folder}/")[2].partition("/")[0]
                found[name].append((size(about["size"]), _changed(fs, path, about)))
        return [Usage(name, sum(b for b, _ in files), max(t for _, t in files)) for name, files in found.items()]

    def touch(self, folder: str) -> None:
        """Set the last change of a folder to now: write an empty object `used`, since objects cannot be touched."""
        with self._errors(folder) as (fs, root):
            fs.pipe_file(f"{root}/{folder}/used", b"")

    def remove(self, path: str) -> None:
        """Remove an object. Does nothing if it does not exist."""
        with suppress(FileNotFoundError), self._errors(path) as (fs, root):
            fs.rm_file(f"{root}/{path}")

    def remove_tree(self, folder: str) -> None:
        """Remove all objects below a folder."""
        with suppress(FileNotFoundError), self._errors(folder) as (fs, root):
            fs.rm(f"{root}/{folder}", recursive=True)

    def sweep(self, before: float) -> int:  # noqa: ARG002
        """Does nothing: an object is written in one step."""
        return 0

    def _connect(self) -> tuple[Any, str]:
        """The file system and the root in it. Each process opens its own: connections do not survive a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            from fsspec.core import url_to_fs

            try:
                fs, root = url_to_fs(self.url, use_listings_cache=False)
            except (ImportError, ValueError) as error:
                raise StorageError(f"the spool {self.url} cannot be opened: {error}; look at OCR_SPOOL_URL") from error
            self._opened = (os.getpid(), fs, root.rstrip("/"))
        return self._opened[1], self._opened[2]

    @contextmanager
    def _errors(self, path: str) -> Iterator[tuple[Any, str]]:
        """Turn the errors of fsspec's clients into FileNotFoundError and StorageError."""
        try:
            yield self._connect()
        except StorageError:
            raise
        except FileNotFoundError:
            raise missing(path) from None
        except Exception as error:  # noqa: BLE001 -- each client raises errors of its own
            fail(path, error)


def _changed(fs: Any, path: str, about: dict[str, Any]) -> float:
    """When an object was written, in seconds since 1970: from its listing, or by a request if that has no time."""
    when = about.get("LastModified") or about.get("mtime") or about.get("modified") or fs.modified(path)
    if isinstance(when, int | float):
        return float(when)
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()  # type: ignore[no-any-return]
