"""The spool: one folder for each job, with its source, its pages and its results.

    jobs/<job>/source-<sha256>     the document's bytes
               job.json            source and options of the job
               pages/000003.json   the result of a page that was read
               result-<round>.json, output-<round>.<extension>
               image-<round>-<page>-<width>.<format>
               end.json            the job has ended: its end in a few fields
               password            of an encrypted document
    uploads/                       documents that `web` processes are receiving; see `uploads.py`

Only `put_source`, `adopt_source`, `put_password` and `write_json` of job.json create a job's folder. So a late page of
a dropped job fails with StorageError and leaves nothing behind.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO
from uuid import UUID

from ocrqueue.errors import DamagedFile, DocumentError, InvalidOptions, StorageError, UnknownJob
from ocrqueue.storage.base import Content, Storage
from ocrqueue.storage.local import LocalStorage
from ocrqueue.storage.location import open_storage
from ocrqueue.storage.objects import ObjectStorage
from ocrqueue.storage.results import is_read_page
from ocrqueue.storage.s3 import S3Storage
from ocrqueue.storage.values import parsed

if TYPE_CHECKING:
    from ocrqueue.storage.source_copies import SourceCopies  # not on Windows, where a client may run

JOB = "job.json"
END = "end.json"
_MARK = ".spool"  # file of `Spool.mark`
PASSWORD = "password"  # noqa: S105 -- a file's name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_PAGE = re.compile(r"(\d{6,})\.json")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A document's bytes in the spool."""

    file: str  # "source-<sha256>", in the job's folder
    sha256: str  # of the bytes, in hexadecimal
    bytes: int  # length


class Spool:
    """Sources, pages and results of jobs, in a folder or at an fsspec URL.

    Every method raises FileNotFoundError if it reads a file that does not exist, UnknownJob if the job's id is not a
    UUID, and StorageError if the storage fails.
    """

    def __init__(self, url: str, group: str | None = None, copies: "SourceCopies | None" = None) -> None:
        self._storage = open_storage(url, group)
        self._copies = copies  # of sources in object storage; None: each `local_source` downloads the source

    @property
    def storage(self) -> Storage:
        """Where the spool lies, with all connections to it."""
        return self._storage

    @property
    def is_local(self) -> bool:
        """Whether the spool is a folder of this machine, and not object storage."""
        return isinstance(self._storage, LocalStorage)

    def prepare(self) -> None:
        """Create the folder of a local spool if it does not exist."""
        self._storage.prepare()

    def check(self) -> None:
        """Raise StorageError, with advice, if the spool does not exist or cannot be written."""
        self._storage.check()

    def mark(self) -> str | None:
        """What tells this spool from others, such as an empty folder where it is not mounted. None: it has no mark."""
        try:
            with self._storage.reading(_MARK) as file:
                return file.read().decode("ascii", "replace").strip() or None
        except FileNotFoundError:
            return None

    def put_mark(self, mark: str) -> None:
        """Mark this spool."""
        self._write("", _MARK, mark.encode("ascii"), create=False)

    def together(self) -> AbstractContextManager[None]:
        """What is written in the block survives a power failure once the block has ended: see `Storage.together`."""
        return self._storage.together()

    def put_source(self, job: str, stream: BinaryIO, limit: int) -> StoredSource:
        """Copy a document of at most `limit` bytes into the job's folder. Raises DocumentError."""
        digest, length = hashlib.sha256(), 0
        with self._storage.writing(_folder(job), "source", create=True) as draft:
            while chunk := stream.read(_CHUNK):
                length += len(chunk)
                if length > limit:
                    raise DocumentError(
                        f"the document has more than {limit:,} bytes: send a smaller one, or raise OCR_MAX_MB",
                        "too_large",
                    )
                digest.update(chunk)
                draft.file.write(chunk)
            if not length:
                raise _empty()
            draft.name = f"source-{digest.hexdigest()}"
        return StoredSource(draft.name, digest.hexdigest(), length)

    def adopt_source(self, job: str, file: Path, sha256: str, length: int) -> StoredSource:
        """Take a complete document of this machine, which `uploads_folder` holds, into the job's folder.

        A local spool moves the file; object storage copies it. Raises DocumentError.
        """
        if not length:
            raise _empty()
        name = f"source-{sha256}"
        self._storage.adopt(file, _folder(job), name)
        return StoredSource(name, sha256, length)

    def uploads_folder(self, data_dir: Path) -> Path:
        """The folder for documents that arrive: in a local spool, so that a job can take one by moving it."""
        return (self._storage.root if isinstance(self._storage, LocalStorage) else data_dir) / "uploads"

    @property
    def gid(self) -> int | None:
        """The id of the group that shares a local spool; None without one, and for object storage."""
        return self._storage.gid if isinstance(self._storage, LocalStorage) else None

    def local_source(self, job: str, file: str) -> AbstractContextManager[Path]:
        """The source as a file of this machine, until the block ends. Raises FileNotFoundError on entry."""
        if not re.fullmatch(r"source-[0-9a-f]{64}", file):
            raise ValueError(f"{file!r} is not the name of a stored source")
        path = _path(job, file)
        if isinstance(self._storage, ObjectStorage | S3Storage) and self._copies is not None:
            return self._copies.open(f"{job}.{file}", partial(self._storage.download, path))
        return self._storage.local(path)

    def write_json(self, job: str, name: str, value: dict[str, Any]) -> None:
        """Store a JSON object, whole or not at all."""
        _path(job, name)
        self._write(_folder(job), name, _encode(value), create=name == JOB)

    def read_json(self, job: str, name: str) -> dict[str, Any]:
        """A stored JSON object. Raises FileNotFoundError, and DamagedFile if it is not a JSON object."""
        return self._read(_path(job, name))

    def write_page(self, job: str, number: int, page: dict[str, Any]) -> None:
        """Store the result of a page. A page that is read twice replaces its first result."""
        self._write(f"{_folder(job)}/pages", f"{number:06d}.json", _encode(page), create=False)

    def read_page(self, job: str, number: int) -> dict[str, Any]:
        """The result of a page. Raises FileNotFoundError, and DamagedFile if it is not a JSON object."""
        return self._read(_page_path(job, number))

    def stored_page(self, job: str, number: int) -> dict[str, Any] | None:
        """The result of a page that was read; None if there is none, or its file is damaged. Raises StorageError."""
        return next(self.stored_pages(job, [number]))

    def stored_pages(self, job: str, numbers: Iterable[int]) -> Iterator[dict[str, Any] | None]:
        """What `stored_page` returns for each number; object storage is asked for several at the same time."""
        pages = [(number, _page_path(job, number)) for number in numbers]
        ahead = self._storage.ahead(path for _, path in pages)
        for (number, path), reading in zip(pages, ahead, strict=True):
            try:
                page = _json_of(reading, path)
            except (FileNotFoundError, DamagedFile):
                yield None
            else:
                yield page if is_read_page(page, number) else None

    def page_numbers(self, job: str) -> list[int]:
        """Numbers of the stored pages, ascending."""
        found = (_PAGE.fullmatch(name) for name in self._storage.names(f"{_folder(job)}/pages"))
        return sorted(int(match[1]) for match in found if match)

    @contextmanager
    def open_write(self, job: str, name: str) -> Iterator[TextIO]:
        """Write text as UTF-8. The file becomes visible when the block ends without an error."""
        with self.open_write_bytes(job, name) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="\n")
            try:
                yield text
                text.flush()
                text.detach()
            except BaseException:
                with suppress(StorageError, OSError, ValueError):
                    text.close()
                raise

    @contextmanager
    def open_write_bytes(self, job: str, name: str) -> Iterator[BinaryIO]:
        """Write bytes. The file becomes visible when the block ends without an error."""
        _path(job, name)
        with self._storage.writing(_folder(job), name, create=False) as draft:
            yield draft.file

    @contextmanager
    def open_read(self, job: str, name: str) -> Iterator[TextIO]:
        """Read text. Only newline characters end a line. Raises FileNotFoundError."""
        with (
            self.open_read_bytes(job, name) as file,
            io.TextIOWrapper(file, encoding="utf-8", newline="\n") as text,
        ):
            yield text

    def open_read_bytes(self, job: str, name: str) -> BinaryIO:
        """Read bytes. Raises FileNotFoundError."""
        return self._storage.reading(_path(job, name))

    def content(self, job: str, name: str) -> Content:
        """A file of a job, for sending it whole or in part. Raises FileNotFoundError."""
        return self._storage.content(_path(job, name))

    def exists(self, job: str, name: str) -> bool:
        """Whether the job has a file of this name."""
        return self._storage.exists(_path(job, name))

    def jobs(self) -> Iterator[str]:
        """Ids of all jobs with a folder, also those without a job.json, whose submission was interrupted."""
        for name in self._storage.names("jobs"):
            with suppress(UnknownJob):
                yield _checked(name)

    def changed(self, job: str) -> float | None:
        """The last write to a job's folder, in seconds since 1970; None if the job has no folder."""
        return self._storage.newest(_folder(job))

    def drop(self, job: str) -> None:
        """Remove the folder of a job; job.json first, so that the reconciler does not create the job again."""
        self._storage.remove(_path(job, JOB))
        self._storage.remove_tree(_folder(job))

    def drop_note(self, job: str) -> None:
        """Remove job.json, so that the reconciler does not take the job up; missing is fine."""
        self._storage.remove(_path(job, JOB))

    def put_password(self, job: str, password: bytes) -> None:
        """Store a document's password in a file of mode 0600, or 0660 with a group.

        Raises InvalidOptions if the spool is object storage.
        """
        if not self.is_local:
            raise InvalidOptions(
                "passwords are not kept on object storage, where others may read them: decrypt the document first, "
                "or use a spool that is a folder"
            )
        self._write(_folder(job), PASSWORD, password, create=True)

    def read_password(self, job: str) -> str | None:
        """The document's password, without a newline at its end; None if there is none.

        Object storage never holds one, so it is not asked. Nor do the other methods for passwords ask it.
        """
        if not self.is_local:
            return None
        try:
            with self._storage.reading(_path(job, PASSWORD)) as file:
                given = file.read()
        except FileNotFoundError:
            return None
        try:
            text = given.decode("utf-8")
        except UnicodeDecodeError:
            text = given.decode("latin-1")
        return text.removesuffix("\n").removesuffix("\r")

    def reopen(self, job: str) -> None:
        """Remove end.json, the mark that the job has ended."""
        self._storage.remove(_path(job, END))

    def remove(self, job: str, name: str) -> None:
        """Remove a file of a job; missing is fine."""
        self._storage.remove(_path(job, name))

    def sweep(self, before: float) -> int:
        """Remove what killed processes left before this time, in seconds since 1970. Returns how many files."""
        return self._storage.sweep(before)

    def drop_password(self, job: str) -> None:
        """Remove the password of a job."""
        if self.is_local:
            self._storage.remove(_path(job, PASSWORD))

    def has_password(self, job: str) -> bool:
        """Whether the document has a password."""
        return self.is_local and self.exists(job, PASSWORD)

    def _write(self, folder: str, name: str, content: bytes, create: bool) -> None:
        with self._storage.writing(folder, name, create) as draft:
            draft.file.write(content)

    def _read(self, path: str) -> dict[str, Any]:
        return _json_of(lambda: self._storage.reading(path), path)


def result_name(round: int) -> str:
    """The file of a round's result. Each round has its own, so a late assembly overwrites no newer result."""
    return f"result-{round}.json"


def output_name(extension: str, round: int) -> str:
    """The file of a format made from a round's result. `extension` begins with a dot."""
    return f"output-{round}{extension}"


def _empty() -> DocumentError:
    return DocumentError("the document is empty (0 bytes): send another file", "empty_file")


def _encode(value: dict[str, Any]) -> bytes:
    """JSON in UTF-8. A code point that is no character, such as half a surrogate pair, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _json_of(reading: Callable[[], BinaryIO], path: str) -> dict[str, Any]:
    """The JSON object in what `reading` opens. Raises what that does, and DamagedFile."""
    with reading() as file:
        content = file.read()
    try:
        value = parsed(content.decode())
    except ValueError as error:
        raise DamagedFile(f"spool: {path}: damaged JSON: retry the job") from error
    if not isinstance(value, dict):
        raise DamagedFile(f"spool: {path}: not a JSON object: retry the job")
    return value


def _checked(job: str) -> str:
    try:
        valid = str(UUID(job)) == job
    except (ValueError, AttributeError, TypeError):
        valid = False
    if not valid:
        raise UnknownJob(f"{str(job)[:80]!r} is not the id of a job: `submit.py jobs` lists the ids")
    return job


def _folder(job: str) -> str:
    return f"jobs/{_checked(job)}"


def _page_path(job: str, number: int) -> str:
    return f"{_folder(job)}/pages/{number:06d}.json"


def _path(job: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a file name of the spool")
    return f"{_folder(job)}/{name}"
