"""The page cache: pages that were read are kept, so that the same document is not read twice in the same way.

    cache/<key>/000003.json          page 3 of a document, as one engine has read it
    cache/<key>/000003.again.json    the better reading, if a second engine has read it, too

`<key>` is a SHA-256 of all that decides the text: see `page_cache_key`. When the cache is too large, whole folders are
removed, those first that were not used for the longest time. Each file starts with a line that names its key and page
number and holds a checksum; a file whose first line does not match is not used. If the page has blocks, the line says
which code found them; those of other code are left out. If a second engine has read the page, it says which one; the
better reading is used as long as the same one would read it today. Otherwise, that of the first engine is used.
"""

import hashlib
import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, BinaryIO, cast

from redis import Redis
from redis.exceptions import LockError, RedisError

from ocrqueue import names
from ocrqueue.errors import StorageError
from ocrqueue.ledger import ClaimedPage, Job, Measured
from ocrqueue.process.watchdog import off_the_clock
from ocrqueue.quality.reread import measured
from ocrqueue.steps.page_cache_key import key_of, structured_as
from ocrqueue.storage.base import Storage
from ocrqueue.storage.local import LocalStorage
from ocrqueue.storage.results import NO_MEMORY, SCHEMA, is_read_page
from ocrqueue.storage.spool import Spool

log = logging.getLogger(__name__)
_ROOT = "cache"
_PAGE = re.compile(r"(\d{6,})\.json")
_ONCE, _TWICE = ".json", ".again.json"  # endings of the files of pages: of the first reading, of the better one of two
_BLOCK = 4096  # bytes; a small file takes one block of a disk
_TRIMMED = 0.9  # of the limit: old folders are removed until the cache is this small
_FULL = 1.1  # of the limit: above it no page is added
_LONGEST_TRIM = 900  # seconds after which another process may start to trim
Again = Callable[[], str | None]  # how poorly read pages of a job are read again, see `engine_choice.read_again_as`
_MARK_SECONDS = 60  # a folder is marked as used at most this often


class PageCache:
    """Pages in the spool's storage, shared by all workers. Redis holds their total size.

    `key`, `supply` and `keep` raise nothing: a page that cannot be taken is read, and a page that cannot be kept is
    read again next time.
    """

    def __init__(self, storage: Storage, redis: Redis, max_bytes: int, structure: str | None = None) -> None:
        self._storage = storage
        self._redis = redis
        self._max_bytes = max_bytes  # 0: the cache is off
        self._structure = structured_as() if structure is None else structure  # a digest of the code that finds blocks
        self._marked = ("", -math.inf)  # the folder last marked as used, and when

    def key(self, job: Job, reads_as: str, spool: Spool) -> str | None:
        """The result of `key_of`; None also if the cache is off or the storage fails."""
        with suppress(StorageError):
            return key_of(job, reads_as, spool) if self._max_bytes else None
        return None

    def supply(
        self, key: str, job: Job, pages: Iterable[ClaimedPage], spool: Spool, again: Again, seconds: float = math.inf
    ) -> dict[int, Measured]:
        """Copy cached pages into the job's folder, in the order of `pages`. Returns those that need no first reading.

        A second engine may still read those that `may_be_read_better`. A page whose blocks the job wants is not
        returned if the cache has none; its text is copied all the same. A job that does not want blocks gets none.
        Stops after `seconds`. If the folder cannot be written, no page counts.
        """
        again = cache(again)
        until = time.monotonic() + seconds
        supplied: dict[int, Measured] = {}
        without_blocks = 0
        try:
            pages = self._listed(key, list(pages))
            ahead = self._storage.ahead(_entry(key, page.number) for page in pages)
            with spool.together():
                for page, reading in zip(pages, ahead, strict=True):
                    if (found := self._take(reading, key, page.number, again)) is None:
                        continue
                    facts = {"cached": True, "seconds": 0, "attempts": page.attempts, "memory": NO_MEMORY}
                    blocks = found["blocks"] if job.options.wants_structure else None
                    found = found | facts | {"blocks": blocks}
                    spool.write_page(job.id, page.number, found)
                    if blocks is None and job.options.wants_structure:
                        without_blocks += 1
                    else:
                        supplied[page.number] = measured(found)
                    if time.monotonic() > until:
                        break
            if supplied or without_blocks:
                self._mark(key)
        except StorageError as e:
            log.warning("job=%s: pages were not taken from the cache: %s", job.id, e.message)
            return {}
        if supplied or without_blocks:
            count = len(supplied) + without_blocks
            log.info("job=%s pages=%d taken from the cache, %d without blocks", job.id, count, without_blocks)
        return supplied

    @contextmanager
    def keeping(self, key: str, number: int, page: dict[str, Any], again: str = "") -> Iterator[None]:
        """Add or replace a page that the block stores in its job's folder: at the same time in object storage.

        `again` is the `reads_as` of the engine that has read it a second time.
        """
        if isinstance(self._storage, LocalStorage):
            yield
            self.keep(key, number, page, again)
            return
        thread = threading.Thread(target=self.keep, args=(key, number, page, again), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with off_the_clock():  # the storage is given up after some seconds
                thread.join()

    def keep(self, key: str, number: int, page: dict[str, Any], again: str = "") -> None:
        """Add a page, or replace it; `again` as of `keeping`."""
        body = json.dumps(page, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        head = _head(key, number, body) | ({} if page.get("blocks") is None else {"structure": self._structure})
        head |= {"again": again} if again else {}
        content = json.dumps(head).encode() + b"\n" + body
        try:
            if self._count(_on_disk(len(content))) > _FULL * self._max_bytes:
                log.info("the page cache is full; no page is added until old ones are removed")
                self._count(-_on_disk(len(content)))
                return
            name = f"{number:06d}{_TWICE if again else _ONCE}"
            # not durable: a page that a power failure damages fails its checksum
            with self._storage.writing(f"{_ROOT}/{key}", name, create=True, durable=False) as draft:
                draft.file.write(content)
        except (StorageError, RedisError) as e:
            log.warning("a page was not added to the cache: %s", e)

    def trim(self, anyway: bool = False) -> int:
        """Remove the folders that were not used for the longest time until the cache is small enough.

        Returns how many folders were removed. The files are listed only if the size in Redis is above the limit or
        unknown, or `anyway` is true. Raises StorageError and RedisError.
        """
        known, counted = cast("list[str | None]", self._redis.hmget(names.CACHE, "bytes", "counted"))
        if not anyway and counted is not None and int(known or 0) <= self._max_bytes:
            return 0
        lock = self._redis.lock(names.CACHE_LOCK, timeout=_LONGEST_TRIM, blocking=False)
        if not lock.acquire():
            return 0  # another process trims
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
        self._count(total - before)  # pages that were added meanwhile stay counted
        self._redis.hset(names.CACHE, "counted", str(time.time()))
        return removed

    def _count(self, bytes: int) -> int:
        return self._redis.hincrby(names.CACHE, "bytes", bytes)

    def _listed(self, key: str, pages: list[ClaimedPage]) -> list[ClaimedPage]:
        """Those of the pages that may be in the cache. A single one is not worth a list of them all."""
        if len(pages) < 2:
            return pages
        found = (_PAGE.fullmatch(name) for name in self._storage.names(f"{_ROOT}/{key}"))
        here = {int(match[1]) for match in found if match}
        return [page for page in pages if page.number in here]

    def _take(self, reading: Callable[[], BinaryIO], key: str, number: int, again: Again) -> dict[str, Any] | None:
        """A page; None if it is not there or is damaged. The better of two readings, if it was made as `again` says."""
        first = self._stored(reading, key, number)
        if first is None or not measured(first[0]).may_be_read_better or (now := again()) is None:
            return first and first[0]
        twice = self._stored(lambda: self._storage.reading(_entry(key, number, _TWICE)), key, number)
        return twice[0] if twice and now in ("", twice[1]) else first[0]

    def _stored(self, reading: Callable[[], BinaryIO], key: str, number: int) -> tuple[dict[str, Any], str] | None:
        """A page of the cache, and how it was read again; None if it is not there or is damaged."""
        try:
            with reading() as file:
                return self._checked(file.read(), key, number)
        except FileNotFoundError:
            return None
        except (StorageError, ValueError) as e:
            log.warning("page %d in the cache is damaged (%s); it is read again", number, e)
            return None

    def _checked(self, content: bytes, key: str, number: int) -> tuple[dict[str, Any], str]:
        """The page in a file's bytes, and how it was read again; empty if it was not.

        Raises ValueError if the file is damaged or has another key or number.
        """
        first, _, body = content.partition(b"\n")
        head = json.loads(first)
        structure, again = (head.pop(name, "") if isinstance(head, dict) else "" for name in ("structure", "again"))
        if head != _head(key, number, body):
            raise ValueError("its checksum, key or number differs")
        page = json.loads(body)
        if not is_read_page(page, number):
            raise ValueError("it is not the result of a page")
        return {**page, "blocks": page.get("blocks") if structure == self._structure else None}, str(again)

    def _mark(self, key: str) -> None:
        """Record that the folder was used now."""
        if self._marked[0] != key or time.monotonic() - self._marked[1] > _MARK_SECONDS:
            self._storage.touch(f"{_ROOT}/{key}")
            self._marked = (key, time.monotonic())


def _entry(key: str, number: int, ending: str = _ONCE) -> str:
    return f"{_ROOT}/{key}/{number:06d}{ending}"


def _head(key: str, number: int, body: bytes) -> dict[str, Any]:
    return {"schema": SCHEMA, "key": key, "page": number, "sha256": hashlib.sha256(body).hexdigest()}


def _on_disk(bytes: int) -> int:
    return -(-bytes // _BLOCK) * _BLOCK
