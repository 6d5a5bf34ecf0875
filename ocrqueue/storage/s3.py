"""Storage in a bucket of S3, or of a server with the same protocol: s3://bucket/folder.

botocore finds region, address and credentials in its usual places, such as AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and the
role of the machine. Each method sends one request, unless it says otherwise; a listing sends one per 1,000 objects.
"""

import os
import re
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

from ocrqueue.errors import DocumentError, StorageAway, StorageError
from ocrqueue.process.watchdog import patience
from ocrqueue.storage.base import CHECK, PIECE, Content, Draft, Usage, fail, missing, private_copy, unnamed
from ocrqueue.storage.retry import while_away

T = TypeVar("T")
CONNECT_SECONDS, READ_SECONDS, TRIES = 5, 20, 2  # a server that never answers is given up after 41 s
_AWAY_SECONDS = 5.0  # for which a storage that did not answer is not asked again by those who do not wait for it
_CHUNK = 1 << 20  # bytes; a smaller object is sent from memory
LARGEST = 5 * 2**30  # bytes of an object that is written in one request, a limit of S3
_PART = 32 << 20  # bytes that are asked for at a time of an object that is sent
_BULK = 1000  # objects that one request removes
_AT_ONCE = 8  # objects that `ahead` fetches at the same time; botocore keeps ten connections


class S3Storage:
    """A folder in a bucket. An object is complete on this machine before it is uploaded, and after it is downloaded."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._bucket, _, folder = self.url.removeprefix("s3://").partition("/")
        self._root = f"{folder}/" if folder else ""
        self._opened: tuple[int, Any] | None = None
        self._away: tuple[float, str] | None = None  # until when, in monotonic time, and why
        if find_spec("botocore") is None:
            raise StorageError(
                f"the spool {self.url} needs botocore: `make setup S3=1`, or `pip install 'ocrqueue[s3]'`"
            )

    def prepare(self) -> None:
        """Does nothing: the owner of a bucket creates it."""

    def check(self) -> None:
        """Write and remove a small object, in two requests. Raises StorageError with what to do."""
        self._put(CHECK, b"ok")
        self.remove(CHECK)

    @contextmanager
    def writing(self, folder: str, name: str, create: bool, durable: bool = True) -> Iterator[Draft]:  # noqa: ARG002
        """Write a new object: to a file without a name first, then to the storage in one request.

        There are no folders to create, and every object is durable.
        """
        with unnamed(f"{folder}/{name}") as (file, content):
            draft = Draft(file, name)
            yield draft
            file.flush()
            self._put(f"{folder}/{draft.name}", content)

    def together(self) -> AbstractContextManager[None]:
        """Does nothing: every object is durable."""
        return nullcontext()

    def adopt(self, file: Path, folder: str, name: str) -> None:
        """Upload a file of this machine."""
        with file.open("rb") as content:
            self._put(f"{folder}/{name}", content)

    def reading(self, path: str) -> BinaryIO:
        """A copy of an object in a file without a name. Raises FileNotFoundError."""
        return self._patiently(lambda: self._read(path))

    def content(self, path: str) -> Content:
        """What the storage says of an object; its parts are asked for when they are sent. Raises FileNotFoundError."""
        about = self._do(path, lambda s3: s3.head_object(Bucket=self._bucket, Key=self._root + path))
        return _S3Content(
            lambda **part: self._patiently(lambda: self._read(path, **part)), about["ContentLength"], about["ETag"]
        )

    def ahead(self, paths: Iterable[str]) -> Iterator[Callable[[], BinaryIO]]:
        """`reading` for each path; the next objects are fetched in threads meanwhile."""
        pool = ThreadPoolExecutor(_AT_ONCE)
        begun: deque[tuple[str, Future[BinaryIO]]] = deque()
        try:
            for path in paths:
                begun.append((path, pool.submit(self._read, path)))
                if len(begun) == _AT_ONCE:
                    yield partial(self._begun, *begun.popleft())
            while begun:
                yield partial(self._begun, *begun.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def local(self, path: str) -> AbstractContextManager[Path]:
        """A private copy, removed when the block ends. Raises FileNotFoundError."""
        return private_copy(path, self.download)

    def download(self, path: str, target: Path) -> None:
        """Copy the object to a file of this machine. Raises FileNotFoundError."""
        with target.open("wb") as file:
            self._do(path, partial(self._get, path, file))

    def exists(self, path: str) -> bool:
        """Whether an object exists."""
        try:
            self._do(path, lambda s3: s3.head_object(Bucket=self._bucket, Key=self._root + path))
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """Sorted names in a folder."""
        start = f"{self._root}{folder}/"
        found = set()
        for page in self._listing(start, Delimiter="/"):
            found |= {entry["Key"].removeprefix(start) for entry in page.get("Contents", ())}
            found |= {entry["Prefix"].removeprefix(start).rstrip("/") for entry in page.get("CommonPrefixes", ())}
        return sorted(name for name in found if name and not name.startswith("."))

    def newest(self, folder: str) -> float | None:
        """The last write of an object below a folder, in seconds since 1970; None if there is none."""
        return max((_changed(about) for about in self._below(folder)), default=None)

    def usage(self, folder: str, size: Callable[[int], int]) -> list[Usage]:
        """The size of each folder in a folder, from one listing of all objects below it."""
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for about in self._below(folder):
            name = about["Key"].removeprefix(f"{self._root}{folder}/").partition("/")[0]
            found[name].append((size(about["Size"]), _changed(about)))
        return [Usage(name, sum(b for b, _ in files), max(t for _, t in files)) for name, files in found.items()]

    def touch(self, folder: str) -> None:
        """Set the last change of a folder to now: write an empty object `used`, since objects cannot be touched."""
        self._put(f"{folder}/used", b"")

    def remove(self, path: str) -> None:
        """Remove an object. Does nothing if it does not exist."""
        self._do(path, lambda s3: s3.delete_object(Bucket=self._bucket, Key=self._root + path))

    def remove_tree(self, folder: str) -> None:
        """Remove all objects below a folder: a listing, and a request for each 1,000 objects."""
        keys = [{"Key": about["Key"]} for about in self._below(folder)]
        for start in range(0, len(keys), _BULK):
            delete = {"Objects": keys[start : start + _BULK], "Quiet": True}
            answer = self._do(folder, lambda s3, d=delete: s3.delete_objects(Bucket=self._bucket, Delete=d))  # type: ignore[misc]
            for error in answer.get("Errors", ()):
                raise StorageError(f"spool: {error.get('Key')}: {error.get('Message')}: look at the bucket's rights")

    def sweep(self, before: float) -> int:  # noqa: ARG002
        """Does nothing: an object is written in one request."""
        return 0

    def _read(self, path: str, **part: str) -> BinaryIO:
        """`reading`, tried once; `part` says to S3 which part of the object is wanted."""
        file = cast("BinaryIO", tempfile.SpooledTemporaryFile(8 * _CHUNK))  # noqa: SIM115 -- the caller closes it
        try:
            self._try(path, partial(self._get, path, file, **part))
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def _begun(self, path: str, first: Future[BinaryIO]) -> BinaryIO:
        """`reading`, whose first try is under way in another thread."""
        tries = iter([first])
        return self._patiently(lambda: first.result() if next(tries, None) else self._read(path))

    def _put(self, path: str, content: bytes | BinaryIO) -> None:
        """Write an object. `content` may be a file, which is read from its start. Raises DocumentError too."""
        length = len(content) if isinstance(content, bytes) else content.seek(0, os.SEEK_END)
        if length > LARGEST:
            raise DocumentError(
                f"{length:,} bytes are too many for the spool {self.url}: S3 takes at most {LARGEST:,} at once; "
                "send a smaller document, or use a spool that is a folder",
                "too_large",
            )

        def put(s3: Any) -> None:
            body = content
            if not isinstance(body, bytes):
                body.seek(0)
                body = body.read() if length <= _CHUNK else body
            s3.put_object(Bucket=self._bucket, Key=self._root + path, Body=body)

        self._do(path, put)

    def _get(self, path: str, target: BinaryIO, s3: Any, **part: str) -> None:
        """Copy an object, or a part of it, to a file, from the file's start."""
        target.seek(0)
        target.truncate()
        body = s3.get_object(Bucket=self._bucket, Key=self._root + path, **part)["Body"]
        with body:
            while chunk := body.read(_CHUNK):
                target.write(chunk)

    def _below(self, folder: str) -> Iterator[dict[str, Any]]:
        """What the storage says of each object below a folder."""
        for page in self._listing(f"{self._root}{folder}/"):
            yield from page.get("Contents", ())

    def _listing(self, start: str, **how: str) -> Iterator[dict[str, Any]]:
        """The answers to a listing of the keys with this start."""
        more: dict[str, str] = {}
        while True:
            asked = {"Bucket": self._bucket, "Prefix": start, **how, **more}
            page = self._do(start, lambda s3, asked=asked: s3.list_objects_v2(**asked))  # type: ignore[misc]
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _client(self) -> Any:
        """The client of this process: connections do not survive a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            from botocore.config import Config
            from botocore.session import get_session

            config = Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": TRIES},
                tcp_keepalive=True,
                request_checksum_calculation="when_required",  # not every server with this protocol knows the others
                response_checksum_validation="when_required",
            )
            self._opened = (os.getpid(), get_session().create_client("s3", config=config))
        return self._opened[1]

    def _do(self, path: str, action: Callable[[Any], T]) -> T:
        """What `action` returns for the client; see `_patiently`. Raises FileNotFoundError too."""
        return self._patiently(lambda: self._try(path, action))

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns; it is called again while the storage is away, see `while_away`.

        Who does not wait is not made to wait twice, so that a program which asks several times ends soon. Raises
        StorageAway and StorageError.
        """
        if self._away and time.monotonic() < self._away[0] and not patience():
            raise StorageAway(self._away[1])
        try:
            return while_away(attempt)
        except StorageAway as e:
            self._away = time.monotonic() + _AWAY_SECONDS, e.message
            raise

    def _try(self, path: str, action: Callable[[Any], T]) -> T:
        from botocore import exceptions

        try:
            return action(self._client())
        except exceptions.ClientError as error:
            self._refused(path, error)
        except (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.ResponseStreamingError) as error:
            reason = " ".join(str(error).split())
            raise StorageAway(f"the spool {self.url} does not answer: {reason}; look whether it runs") from error
        except (exceptions.BotoCoreError, ValueError) as error:
            raise StorageError(
                f"the spool {self.url} cannot be used: {error}; look at its settings, AWS_..."
            ) from error
        except OSError as error:  # of a file of this machine
            fail(path, error)

    def _refused(self, path: str, error: Any) -> NoReturn:
        """Raise the error for an answer of the storage that is one."""
        about = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code, said = about.get("Code", ""), about.get("Message") or str(error)
        if code in ("NoSuchKey", "404"):
            raise missing(path) from None
        if code == "NoSuchBucket":
            reason = f"the bucket {self._bucket} does not exist: create it, or correct OCR_SPOOL_URL"
            raise StorageError(f"the spool {self.url} cannot be used: {reason}") from error
        if status >= 500 or status == 429:
            raise StorageAway(f"the spool {self.url} does not serve: {said} ({code}); look whether it runs") from error
        raise StorageError(
            f"the spool {self.url} refuses {path}: {said} ({code}); look at OCR_SPOOL_URL and its credentials"
        ) from error


class _S3Content:
    """A `Content` of which each part is a request, and of a large part each 32 MiB."""

    def __init__(self, read: Callable[..., BinaryIO], size: int, tag: str) -> None:
        self.size = size
        self.version = re.sub(r"[^0-9A-Za-z-]", "", tag)
        self._read = read
        self._tag = tag

    def part(self, first: int, length: int) -> Iterator[bytes]:
        """So many bytes from `first` on, in short pieces. Raises StorageError, also if the object is another now."""
        end = first + length
        for start in range(first, end, _PART):
            asked = f"bytes={start}-{min(end, start + _PART) - 1}"
            with self._read(Range=asked, IfMatch=self._tag) as file:
                while piece := file.read(PIECE):
                    yield piece

    def close(self) -> None:
        """Does nothing: no connection is held between two parts."""


def _changed(about: dict[str, Any]) -> float:
    """When a listed object was written, in seconds since 1970."""
    return float(about["LastModified"].timestamp())
