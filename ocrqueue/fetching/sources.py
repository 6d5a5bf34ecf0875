"""Fetches the document of a plain message. Only sources that the worker's settings allow are read."""

import contextlib
import http.client
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urljoin

from ocrqueue import names
from ocrqueue.errors import DocumentError, StorageError
from ocrqueue.fetching.addresses import Url, parse_url, resolve
from ocrqueue.fetching.connection import connected
from ocrqueue.ledger.encoding import shown_name
from ocrqueue.ledger.workers import Worker, serving
from ocrqueue.limits import Limits

_CHUNK = 256 * 1024
_SHARE = 0.75  # of the time to open a document is for fetching it
_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The allowed sources: folders and beginnings of URLs."""

    folders: tuple[Path, ...]
    urls: tuple[Url, ...]

    @classmethod
    def parse(cls, entries: Sequence[str]) -> "Allowed":
        """Parse the setting's entries. Raises ValueError with the wrong entry."""
        folders, urls = [], []
        for entry in entries:
            if entry.startswith("/"):
                folders.append(Path(entry))
                continue
            try:
                urls.append(parse_url(entry))
            except DocumentError as error:
                raise ValueError(f"{error.message}; an entry is an absolute folder, or https://host/folder/") from error
            if urls[-1].query:
                raise ValueError(f"{entry!r} must end before its question mark: a query cannot be allowed")
        return cls(tuple(folders), tuple(urls))


def check_announced(url: str, live: Iterable[Worker]) -> None:
    """Raise DocumentError, `source_not_allowed`, for a URL that no live worker may fetch; see `parse_url` for others.

    Does nothing as long as none opens documents, or one does not say what it may fetch.
    """
    wanted, openers = parse_url(url), serving(live, names.DOCUMENTS_QUEUE)
    if openers and not any(
        worker.sources is None or any(entry.covers(wanted) for entry in Allowed.parse(worker.sources).urls)
        for worker in openers
    ):
        raise _not_allowed(_shown_url(wanted), "no worker may")


def fetch_source(spec: Mapping[str, object], target: BinaryIO, allowed: Sequence[str], limits: Limits) -> str:
    """Copy the document of `{"path": ...}` or `{"url": ...}` into `target`. Returns the document's name.

    Raises DocumentError: `source_not_allowed`, `source_unreachable`, `too_large`, `invalid_options`. After an error
    `target` may contain a part of the document. Takes at most three quarters of `limits.open_seconds`.
    """
    known = Allowed.parse(allowed)
    kind, value = next(iter(spec.items()), (None, None))
    if len(spec) != 1 or kind not in {"path", "url"} or not isinstance(value, str) or not 0 < len(value) <= 4096:
        raise DocumentError('a source is {"path": "/folder/file"} or {"url": "https://..."}', "invalid_options")
    if kind == "path":
        _copy_file(value, target, known.folders, limits)
        return _shown(PurePosixPath(value).name, "document")
    url = parse_url(value)
    _download(url, target, known.urls, limits)
    return _shown(PurePosixPath(unquote(url.path)).name, url.host)


def _shown(name: str, otherwise: str) -> str:
    return shown_name(name[:255] or otherwise)


def _not_allowed(what: str, who: str = "this worker may not") -> DocumentError:
    hint = "ask the operator to add it to OCR_ALLOWED_SOURCES"
    return DocumentError(f"{who} read {what[:300]!r}: {hint}", "source_not_allowed")


def _shown_url(url: Url) -> str:
    """The URL without its query, which may have a secret."""
    return str(replace(url, query=""))


def _unreachable(what: str, why: object) -> DocumentError:
    reason = " ".join(str(why).split())[:200]
    return DocumentError(f"{what[:300]!r} cannot be read: {reason}", "source_unreachable")


def _copy(read: Callable[[int], bytes], target: BinaryIO, limits: Limits) -> None:
    size = 0
    while chunk := read(_CHUNK):
        size += len(chunk)
        if size > limits.max_bytes:
            most = f"{limits.max_bytes:,} bytes"
            raise DocumentError(f"the source has more than {most}: send it in parts, or raise OCR_MAX_MB", "too_large")
        try:
            target.write(chunk)
        except OSError as error:
            raise StorageError(f"the source cannot be stored: {error.strerror}; look at the spool's disk") from error


# Files


def _copy_file(path: str, target: BinaryIO, folders: Sequence[Path], limits: Limits) -> None:
    if not path.startswith("/") or "\0" in path:
        raise DocumentError(f"the path {path[:200]!r} must be absolute", "invalid_options")
    real = Path(os.path.realpath(path))
    for folder in folders:
        root = Path(os.path.realpath(folder))
        if real != root and real.is_relative_to(root):
            break
    else:
        raise _not_allowed(path)
    try:
        with _opened_below(root, real.relative_to(root).parts) as file:
            if file is None:
                raise DocumentError(f"{path[:300]!r} is not a regular file", "source_not_allowed")
            _copy(file.read, target, limits)
    except OSError as error:
        raise _unreachable(path, error.strerror) from error


@contextlib.contextmanager
def _opened_below(root: Path, parts: Sequence[str]) -> Iterator[BinaryIO | None]:
    """Open a file below `root` folder by folder. No link is followed, so a folder cannot be replaced after the check.

    The value is None for a folder, a device, and a FIFO, which is opened without waiting for its writer.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = os.open(part, flags | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        file = os.open(parts[-1], flags, dir_fd=here)
    finally:
        os.close(here)
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            with open(file, "rb", closefd=False) as opened:
                yield opened
        else:
            yield None
    finally:
        os.close(file)


# URLs


def _download(url: Url, target: BinaryIO, allowed: Sequence[Url], limits: Limits) -> None:
    deadline = time.monotonic() + limits.open_seconds * _SHARE
    for _ in range(_MAX_REDIRECTS + 1):
        if not any(entry.covers(url) for entry in allowed):
            raise _not_allowed(_shown_url(url))
        onward = _request(url, target, limits, deadline)
        if onward is None:
            return
        try:
            url = parse_url(onward)
        except DocumentError as error:
            raise _not_allowed(onward) from error
    raise _unreachable(url.host, f"it redirects more than {_MAX_REDIRECTS} times")


def _request(url: Url, target: BinaryIO, limits: Limits, deadline: float) -> str | None:
    """Send one request and write the body to `target`. Returns the URL of a redirect, which it does not follow."""
    try:
        with connected(url, resolve(url), deadline) as connection:
            connection.request("GET", url.target, headers={"User-Agent": "ocr-queue", "Accept-Encoding": "identity"})
            with connection.getresponse() as response:
                if response.status in _REDIRECTS and (location := response.getheader("Location")):
                    return urljoin(f"{url.scheme}://{_netloc(url)}{url.target}", location)
                _receive(response, target, limits)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _unreachable(url.host, str(error) or type(error).__name__) from error
    return None


def _receive(response: http.client.HTTPResponse, target: BinaryIO, limits: Limits) -> None:
    if response.status != http.client.OK:
        raise ValueError(f"the server answered {response.status} {response.reason}")
    if response.getheader("Content-Encoding", "identity") != "identity":
        raise ValueError("the server sent it compressed, although the request does not allow this")
    _copy(response.read, target, limits)
    if response.length:
        raise ValueError("the connection was closed before the end")


def _netloc(url: Url) -> str:
    return f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}"
