"""The page cache: a page that was read once, of the same bytes in the same way, is not read again.

    cache/<key>/000003.json    page 3 of a document, as it was read

`<key>` is a SHA-256 over all that the text depends on and nothing else: the document's bytes, those options that change
a text, and how the worker reads (see `reads_as`). A folder is used, and removed, as a whole: the one that was not used
for longest goes first. Each file says whose page it is and carries a checksum; one that does not hold is no page.
"""

import hashlib
import json
import logging
import math
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, cast

from redis import Redis
from redis.exceptions import LockError, RedisError

from ocrqueue import names
from ocrqueue.engines import Engine, Model, installed
from ocrqueue.errors import StorageError
from ocrqueue.ledger import ClaimedPage, Job
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.storage.base import Storage
from ocrqueue.storage.results import NO_MEMORY, SCHEMA, is_page
from ocrqueue.storage.spool import PASSWORD, Spool

log = logging.getLogger(__name__)
PIPELINE = 2  # raised whenever our own part of reading changes a text: rendering, text layer, turning, layout
_RENDERERS = ("PyMuPDF", "pillow", "pillow-heif")
_NO_MATTER = frozenset({"pages", "engine", "model", "priority", "formats", "fresh", "notify"})  # how it is read says it
_ROOT = "cache"
_PAGE = re.compile(r"(\d{6,})\.json")
_BLOCK = 4096  # what a small file takes of a disk
_TRIMMED = 0.9  # of the limit, down to which old folders are removed
_LONGEST_TRIM = 900  # seconds; after them another one may begin
_FULL = 1.1  # of the limit, above which nothing is added until old folders have been removed


def reads_as(engine: Engine, model: Model, limits: Limits) -> str:
    """All on the worker's side that a page's text depends on, as a digest; empty where the engine cannot say.

    Loads nothing: the parent process of a worker announces it.
    """
    fingerprint = getattr(engine, "fingerprint", None)  # engines of others may have none
    if fingerprint is None:
        return ""
    pixels = (limits.max_pixels, limits.max_source_pixels)  # larger pages are scaled down
    ours = [PIPELINE, SCHEMA, *map(installed, _RENDERERS), *pixels]
    return _digest([*ours, engine.name, engine.dpi, fingerprint(), model.name, model.revision])


def cache_key(sha256: str, options: Options, reads_as: str) -> str:
    """The name of the folder for pages of the document with this SHA-256, read with these options in this way."""
    return _digest([sha256, {k: v for k, v in asdict(options).items() if k not in _NO_MATTER}, reads_as])


def key_of(job: Job, reads_as: str, spool: Spool) -> str | None:
    """The job's key; None where its pages are neither kept nor taken.

    That is where the engine does not say how it reads, where nobody has compared the bytes with their SHA-256, and
    where the document came with a password: what it guards is not to lie about without it. Raises StorageError.
    """
    source = job.source
    if not reads_as or source.sha256 is None or source.bytes is None or spool.exists(job.id, PASSWORD):
        return None
    return cache_key(source.sha256, job.options, reads_as)


class PageCache:
    """Pages in the spool's storage, shared by all workers; how large they are is counted in Redis.

    Nothing here raises: a page that cannot be taken is read, one that cannot be kept is read again some day.
    """

    def __init__(self, storage: Storage, redis: Redis, max_bytes: int) -> None:
        self._storage = storage
        self._redis = redis
        self._max_bytes = max_bytes  # 0: nothing is kept or taken
        self._marked = ("", -math.inf)  # the folder last marked as used, and when

    def key(self, job: Job, reads_as: str, spool: Spool) -> str | None:
        """See `key_of`; None too where the cache is off, or the storage cannot say."""
        with suppress(StorageError):
            return key_of(job, reads_as, spool) if self._max_bytes else None
        return None

    def supply(
        self, key: str, job: Job, pages: Iterable[ClaimedPage], spool: Spool, seconds: float = math.inf
    ) -> list[int]:
        """Put those of the pages that are here into the job's folder, in order; the numbers of those put there.

        It stops after so many seconds, and where the job's folder takes nothing.
        """
        until, supplied = time.monotonic() + seconds, []
        try:
            here = self._numbers(key)
            for page in pages:
                if page.number not in here or (found := self._take(key, page.number)) is None:
                    continue
                facts = {"cached": True, "seconds": 0, "attempts": page.attempts, "memory": NO_MEMORY}
                spool.write_page(job.id, page.number, found | facts)
                supplied.append(page.number)
                if time.monotonic() > until:
                    break
            if supplied:
                self._mark(key)
        except StorageError as e:
            log.warning("job=%s: pages were not taken from the cache: %s", job.id, e.message)
        if supplied:
            log.info("job=%s pages=%d taken from the cache", job.id, len(supplied))
        return supplied

    def keep(self, key: str, number: int, page: dict[str, Any]) -> None:
        """Keep a page that was read; an older one gives way."""
        body = json.dumps(page, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        content = json.dumps(_head(key, number, body)).encode() + b"\n" + body
        try:
            if self._count(_on_disk(len(content))) > _FULL * self._max_bytes:
                log.info("the page cache is full: page not kept, until old ones have been removed")
                self._count(-_on_disk(len(content)))
                return
            with self._storage.writing(f"{_ROOT}/{key}", f"{number:06d}.json", create=True) as draft:
                draft.file.write(content)
        except (StorageError, RedisError) as e:
            log.warning("a page was not kept in the cache: %s", e)

    def trim(self, anyway: bool = False) -> int:
        """Remove what was not used for longest where the limit is exceeded; returns how many folders.

        What is there is looked at where more may be there than the limit allows, or `anyway`.
        """
        known, counted = cast("list[str | None]", self._redis.hmget(names.CACHE, "bytes", "counted"))
        if not anyway and counted is not None and int(known or 0) <= self._max_bytes:
            return 0
        lock = self._redis.lock(names.CACHE_LOCK, timeout=_LONGEST_TRIM, blocking=False)
        if not lock.acquire():
            return 0  # somebody else is at it
        try:
            return self._trim()
        finally:
            with suppress(LockError):
                lock.release()

    def _trim(self) -> int:
        before = int(cast("str | None", self._redis.hget(names.CACHE, "bytes")) or 0)
        folders = sorted(self._storage.usage(_ROOT, _on_disk), key=lambda folder: folder.changed)
        total, removed = sum(folder.bytes for folder in folders), 0
        aim = self._max_bytes if total <= self._max_bytes else _TRIMMED * self._max_bytes
        for folder in folders:
            if total <= aim and self._max_bytes:
                break
            self._storage.remove_tree(f"{_ROOT}/{folder.name}")
            total, removed = total - folder.bytes, removed + 1
        self._count(total - before)  # what was added meanwhile stays counted
        self._redis.hset(names.CACHE, "counted", str(time.time()))
        return removed

    def _count(self, bytes: int) -> int:
        return self._redis.hincrby(names.CACHE, "bytes", bytes)

    def _numbers(self, key: str) -> set[int]:
        found = (_PAGE.fullmatch(name) for name in self._storage.names(f"{_ROOT}/{key}"))
        return {int(match[1]) for match in found if match}

    def _take(self, key: str, number: int) -> dict[str, Any] | None:
        try:
            with self._storage.reading(f"{_ROOT}/{key}/{number:06d}.json") as file:
                return _checked(file.read(), key, number)
        except FileNotFoundError:  # removed a moment ago
            return None
        except (StorageError, ValueError) as e:
            log.warning("page %d in the cache is damaged (%s): it is read again", number, e)
            return None

    def _mark(self, key: str) -> None:
        """The folder was used now; page by page that is said once a minute."""
        if self._marked[0] != key or time.monotonic() - self._marked[1] > 60:
            self._storage.touch(f"{_ROOT}/{key}")
            self._marked = (key, time.monotonic())


def _head(key: str, number: int, body: bytes) -> dict[str, Any]:
    return {"schema": SCHEMA, "key": key, "page": number, "sha256": hashlib.sha256(body).hexdigest()}


def _checked(content: bytes, key: str, number: int) -> dict[str, Any]:
    """The page in an entry's bytes. Raises ValueError where they are not what was kept under this name."""
    head, _, body = content.partition(b"\n")
    if json.loads(head) != _head(key, number, body):
        raise ValueError("its checksum or its name differs")
    page = json.loads(body)
    if not is_page(page) or page["page"] != number or page["state"] != "ok":
        raise ValueError("it holds no page that was read")
    return cast("dict[str, Any]", page)


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _on_disk(bytes: int) -> int:
    return -(-bytes // _BLOCK) * _BLOCK
