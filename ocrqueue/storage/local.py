"""Storage in a folder of this machine, or in a mounted folder."""

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from ocrqueue.errors import StorageError
from ocrqueue.process.disk import remove_left, sync_folder
from ocrqueue.storage.base import CHECK, Content, Draft, FileContent, Usage, drafted, fail, missing, one_by_one

_MOST = 100  # open files that wait for the end of a block `LocalStorage.together`


class _Waiting:
    """What waits for the end of a block `LocalStorage.together`."""

    def __init__(self) -> None:
        self._files: deque[tuple[int, str, str]] = deque()  # descriptor, temporary path, final path
        self._folders: dict[str, None] = {}  # whose new names have not reached the disk

    def add(self, file: int, temporary: str, path: str) -> None:
        """Let a file wait, of which this is a descriptor. Raises OSError."""
        self._files.append((os.dup(file), temporary, path))
        if len(self._files) >= _MOST:
            self._store_files()

    def add_folders(self, *folders: str) -> None:
        """Let folders wait."""
        self._folders.update(dict.fromkeys(folders))

    def store(self, outer: "_Waiting | None") -> None:
        """The block has ended: sync everything, or let it wait for the end of the block around. Raises OSError."""
        if outer is not None:
            outer._files += self._files
            outer._folders.update(self._folders)
            return
        self._store_files()
        for folder in self._folders:
            sync_folder(folder)

    def forget(self, path: str) -> None:
        """Remove the files that wait for this final path. Raises OSError."""
        for waiting in [found for found in self._files if found[2] == path]:
            self._files.remove(waiting)
            os.close(waiting[0])
            os.unlink(waiting[1])  # noqa: PTH108 -- many small files: paths as text

    def discard(self) -> None:
        """Remove the files that wait."""
        for file, temporary, _ in self._files:
            os.close(file)
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 -- many small files: paths as text
        self._files.clear()

    def _store_files(self) -> None:
        """Bring the bytes of all files to the disk, one after the other without anything between, then name them."""
        for file, _, _ in self._files:
            os.fsync(file)
        while self._files:
            file, temporary, path = self._files[0]
            os.replace(temporary, path)  # noqa: PTH105 -- as above
            os.close(file)
            self._files.popleft()


_waiting: ContextVar[_Waiting | None] = ContextVar("waiting", default=None)


class LocalStorage:
    """A folder that is private to its user (modes 0700 and 0600) or shared with a group (modes 02770 and 0660)."""

    def __init__(self, root: Path, group: str | None = None) -> None:
        self.url = str(root)
        self.root = root
        self.gid = _group_id(group) if group else None
        self._folder_mode, self._file_mode = (0o2770, 0o660) if group else (0o700, 0o600)

    def prepare(self) -> None:
        """Create the root and the folders above it if they do not exist."""
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self._mkdir(self.url)
        except OSError as error:
            fail(self.url, error)

    def check(self) -> None:
        """Write and remove a small file. Raises StorageError with what to do."""
        self._there()
        with self.writing("", CHECK, create=False) as draft:
            draft.file.write(b"ok")
        self.remove(draft.name)

    @contextmanager
    def writing(self, folder: str, name: str, create: bool, durable: bool = True) -> Iterator[Draft]:
        """Write a new file in `folder`: its bytes, then its name, then the names of new folders reach the disk."""
        shown = folder or self.url
        made, there = self._make(folder, create), self._at(folder)

        def commit(temporary: str, draft: Draft) -> None:
            file, path, waiting = draft.file.fileno(), f"{there}/{draft.name}", _waiting.get()
            self._own(file, self._file_mode)
            if durable and waiting is not None:
                waiting.add(file, temporary, path)
            else:
                if durable:
                    os.fsync(file)
                os.replace(temporary, path)  # noqa: PTH105 -- as above
            if durable:
                _sync(there, *made)

        try:
            with drafted(there, shown, name, commit) as draft:
                yield draft
        except BaseException:
            if create:
                with suppress(OSError):
                    (self.root / folder).rmdir()  # fails if it is not empty
            raise

    @contextmanager
    def together(self) -> Iterator[None]:
        """Files that are written in the block are synced and named at its end; each folder is synced once.

        After an error in the block they are removed.
        """
        waiting = _Waiting()
        before = _waiting.set(waiting)
        try:
            yield
        except BaseException:
            waiting.discard()
            raise
        finally:
            _waiting.reset(before)
        try:
            waiting.store(_waiting.get())
        except OSError as error:
            waiting.discard()
            fail(self.url, error)

    def adopt(self, file: Path, folder: str, name: str) -> None:
        """Move a file of the same file system into `folder`: its bytes, then its name reach the disk."""
        made = self._make(folder, create=True)
        try:
            with file.open("rb") as content:
                self._own(content.fileno(), self._file_mode)
                os.fsync(content.fileno())
            file.replace(self.root / folder / name)
            _sync(self._at(folder), *made)
        except OSError as error:
            with suppress(OSError):
                (self.root / folder).rmdir()  # fails if it is not empty
            fail(f"{folder}/{name}", error)

    def reading(self, path: str) -> BinaryIO:
        """Open a file for reading. Raises FileNotFoundError."""
        try:
            return (self.root / path).open("rb")
        except FileNotFoundError:
            self._there()
            raise missing(path) from None
        except OSError as error:
            fail(path, error)

    def content(self, path: str) -> Content:
        """Open a file for sending it. Raises FileNotFoundError."""
        file = self.reading(path)
        about = os.fstat(file.fileno())
        return FileContent(file, about.st_size, f"{about.st_mtime_ns:x}")

    def ahead(self, paths: Iterable[str]) -> Iterator[Callable[[], BinaryIO]]:
        """`reading` for each path."""
        return one_by_one(self.reading, paths)

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """The file itself. Raises FileNotFoundError."""
        self.reading(path).close()
        yield self.root / path

    def exists(self, path: str) -> bool:
        """Whether a file exists."""
        try:
            (self.root / path).stat()
        except FileNotFoundError:
            self._there()
            return False
        except OSError as error:
            fail(path, error)
        return True

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder, without files that are still being written."""
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(e.name for e in entries if not e.name.startswith("."))
        except FileNotFoundError:
            self._there()
            return []
        except OSError as error:
            fail(folder, error)

    def newest(self, folder: str) -> float | None:
        """The last change of a folder or of anything below it, in seconds since 1970; None if it does not exist."""
        try:
            paths = [self.root / folder, *(self.root / folder).rglob("*")]
            return max(path.lstat().st_mtime for path in paths)
        except FileNotFoundError:
            self._there()
            return None
        except OSError as error:
            fail(folder, error)

    def usage(self, folder: str, size: Callable[[int], int]) -> list[Usage]:
        """The size of each folder in a folder. The last change of a folder is that of the newest name in it."""
        found = []
        for name in self.names(folder):
            try:
                with os.scandir(self.root / folder / name) as entries:
                    taken = sum(size(entry.stat().st_size) for entry in entries)
                found.append(Usage(name, taken, (self.root / folder / name).stat().st_mtime))
            except (FileNotFoundError, NotADirectoryError):  # removed since it was listed; a file instead of a folder
                continue
            except OSError as error:
                fail(f"{folder}/{name}", error)
        return found

    def touch(self, folder: str) -> None:
        """Set the last change of a folder to now. Does nothing if the folder does not exist."""
        try:
            os.utime(self.root / folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            fail(folder, error)

    def remove(self, path: str) -> None:
        """Remove a file, also one that waits to be stored. Does nothing if it does not exist."""
        try:
            if (waiting := _waiting.get()) is not None:
                waiting.forget(self._at(path))
            (self.root / path).unlink(missing_ok=True)
        except OSError as error:
            fail(path, error)

    def remove_tree(self, folder: str) -> None:
        """Remove a folder with its content, also if another process adds a file meanwhile."""
        for last in (False, False, True):
            try:
                shutil.rmtree(self.root / folder)
            except FileNotFoundError:
                if not (self.root / folder).exists():
                    return
            except OSError as error:
                if last:
                    fail(folder, error)
            else:
                return

    def sweep(self, before: float) -> int:
        """Remove what killed processes left before this time, in seconds since 1970. Returns how many files."""
        return remove_left(self.root, before)

    def _there(self) -> None:
        """Raise StorageError if the root does not exist: a spool that is not mounted must not look empty."""
        if not self.root.is_dir():
            raise StorageError(f"the spool {self.url} is not there: mount or create it, or set OCR_SPOOL_URL")

    def _at(self, folder: str) -> str:
        """The path of a folder on this machine."""
        return f"{self.url}/{folder}" if folder else self.url

    def _make(self, folder: str, create: bool) -> list[str]:
        """Create a folder below the root. Returns the folders that have a new entry.

        Without `create` only a folder in a job's folder is created, so that a dropped job's folder stays removed.
        """
        parts = folder.split("/") if folder else []
        first = 1 if create else 3  # the number of parts of the first path that may be created
        if len(parts) < first:
            self._there()
            return []
        try:
            with suppress(FileNotFoundError):  # as a rule the folder above exists
                return [self._at("/".join(parts[:-1]))] if self._mkdir(self._at(folder)) else []
            self._there()
            above = (parts[:n] for n in range(first, len(parts) + 1))
            return [self._at("/".join(path[:-1])) for path in above if self._mkdir(self._at("/".join(path)))]
        except OSError as error:
            fail(folder, error)

    def _mkdir(self, folder: str) -> bool:
        """Create a folder. Returns False if it exists."""
        try:
            os.mkdir(folder, 0o700)  # noqa: PTH102 -- as above
        except FileExistsError:
            return False
        self._own(folder, self._folder_mode)
        return True

    def _own(self, file: str | int, mode: int) -> None:
        if self.gid is not None:
            os.chown(file, -1, self.gid)
        os.chmod(file, mode)  # noqa: PTH101 -- `file` may be a descriptor


def _sync(*folders: str) -> None:
    """Write the names in these folders to the disk, now or at the end of the block `together`. Raises OSError."""
    waiting = _waiting.get()
    if waiting is not None:
        waiting.add_folders(*folders)
        return
    for folder in folders:
        sync_folder(folder)


def _group_id(group: str) -> int:
    from grp import getgrnam

    try:
        return getgrnam(group).gr_gid
    except KeyError:
        raise StorageError(f"OCR_SPOOL_GROUP: no group {group!r} on this machine: create it, or set another") from None
