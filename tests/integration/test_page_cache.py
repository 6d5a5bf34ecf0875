"""The page cache without workers: which pages it keeps, which it refuses, and how it stays within its limit."""

import hashlib
import json
import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ocrqueue import names
from ocrqueue.ledger import ClaimedPage, Job, Source
from ocrqueue.pages import Line, PageText
from ocrqueue.steps.page_cache import PageCache
from ocrqueue.storage.location import open_storage
from ocrqueue.storage.results import NO_MEMORY, PageFacts, page_result
from ocrqueue.storage.spool import JOB, Spool
from tests.support.ledger_steps import JOB as ID

KEY, OTHER = "a" * 64, "b" * 64
BLOCK = 4096
RECORD = {"v": "1", "state": "queued", "source": Source("a").dumps(), "options": "{}", "created": "1"}
BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))


class Shelf:
    """A cache in a folder or in object storage, and a job in the same storage."""

    def __init__(self, url: str, redis: Redis, max_bytes: int = 10**9) -> None:
        self.storage, self.spool = open_storage(url), Spool(url)
        self.spool.prepare()
        self.spool.write_json(ID, JOB, {})
        self.cache = PageCache(self.storage, redis, max_bytes)
        self.redis, self.root = redis, Path(url)

    def supply(self, *numbers: int, key: str = KEY, attempts: int = 0, again: str | None = "") -> list[int]:
        pages = [ClaimedPage(n, attempts) for n in numbers]
        return list(self.cache.supply(key, Job.parse(ID, RECORD), pages, self.spool, lambda: again))

    def entry(self, number: int = 1, key: str = KEY) -> Path:
        return self.root / "cache" / key / f"{number:06d}.json"

    def counted(self) -> int:
        return int(self.redis.hget(names.CACHE, "bytes") or 0)


@pytest.fixture(params=["folder", "objects"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, redis: Redis) -> Shelf:
    return Shelf(str(tmp_path / "spool") if request.param == "folder" else f"memory://{uuid4()}/spool", redis)


@pytest.fixture
def local(tmp_path: Path, redis: Redis) -> Shelf:
    return Shelf(str(tmp_path / "spool"), redis)


def page(number: int = 1, text: str = "héllo \U0001f600") -> dict[str, object]:
    facts = PageFacts(engine="e", width=9, height=9, seconds=3.5, attempts=2, memory={"rss": 5})
    return page_result(number, PageText([Line(text, BOX, 0.9)]), facts)


def test_a_cached_page_has_the_text_of_the_page_that_was_read_and_the_facts_of_the_new_job(shelf: Shelf) -> None:
    shelf.cache.keep(KEY, 7, page(7))
    assert shelf.supply(6, 7, attempts=1) == [7]
    changed = {"cached": True, "seconds": 0, "attempts": 1, "memory": NO_MEMORY}
    assert shelf.spool.read_page(ID, 7) == page(7) | changed
    assert shelf.spool.page_numbers(ID) == [7]
    assert shelf.supply(7, key=OTHER) == []


def test_blocks_are_kept_with_the_text_for_jobs_that_want_them_as_long_as_the_code_is_the_same(local: Shelf) -> None:
    whole = {**page(), "blocks": [{"kind": "heading", "box": None, "lines": [0], "text": "x"}]}
    local.cache.keep(KEY, 1, whole)
    asked = Job.parse(ID, RECORD | {"options": '{"structure": true}'})
    wanted = [ClaimedPage(1, 0)]
    assert list(local.cache.supply(KEY, asked, wanted, local.spool, str)) == [1]
    assert local.spool.read_page(ID, 1)["blocks"] == whole["blocks"]
    assert local.supply(1)  # a job that wants text
    assert local.spool.read_page(ID, 1)["blocks"] is None
    newer = PageCache(local.storage, local.redis, 10**9, structure="other code")
    assert not newer.supply(KEY, asked, wanted, local.spool, str)
    assert (local.spool.read_page(ID, 1)["text"], local.spool.read_page(ID, 1)["blocks"]) == (whole["text"], None)


@pytest.mark.parametrize(
    ("quality", "was_again", "now", "text", "may_be_read_better"),
    [
        (None, "", "newer", "first", False),
        (0.97, "", "newer", "first", False),
        (0.97, "", None, "first", False),
        (0.75, "", "newer", "first", True),
        (0.75, "", "", "first", True),  # but no engine is there
        (0.4, "old", "old", "second", False),
        (0.4, "old", "newer", "first", True),
        (0.4, "old", "", "second", False),
        (0.4, "old", None, "first", True),  # but it must not be
    ],
)
def test_the_better_reading_is_used_as_long_as_a_second_engine_would_read_alike(
    local: Shelf, quality: float | None, was_again: str, now: str | None, text: str, may_be_read_better: bool
) -> None:
    local.cache.keep(KEY, 1, {**page(text="first"), "quality": quality})
    if was_again:
        readings = [{"engine": engine, "model": "m", "error": None} for engine in ("first", "second")]
        local.cache.keep(KEY, 1, {**page(text="second"), "quality": 0.9, "readings": readings}, was_again)
    supplied = local.cache.supply(KEY, Job.parse(ID, RECORD), [ClaimedPage(1, 0)], local.spool, lambda: now)
    assert local.spool.read_page(ID, 1)["text"] == text
    assert supplied[1].may_be_read_better == may_be_read_better


def cut(content: bytes) -> bytes:
    return content[:-9]


def not_json(content: bytes) -> bytes:
    return b"{" + content


def another_schema(content: bytes) -> bytes:
    return content.replace(b"ocr-queue/1", b"ocr-queue/0", 1)


def another_text(content: bytes) -> bytes:
    return content.replace(b"llo", b"LLO")


def no_page(content: bytes) -> bytes:
    body = b'{"page": 1, "state": "ok"}'
    head = json.loads(content.partition(b"\n")[0]) | {"sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body


def empty(content: bytes) -> bytes:
    return content[:0]


@pytest.mark.parametrize("damage", [cut, not_json, another_schema, another_text, no_page, empty])
def test_a_damaged_entry_is_not_used_and_is_replaced(local: Shelf, damage, caplog: pytest.LogCaptureFixture) -> None:
    local.cache.keep(KEY, 1, page())
    good = local.entry().read_bytes()
    assert damage(good) != good
    local.entry().write_bytes(damage(good))
    assert local.supply(1) == []
    assert "page 1 in the cache is damaged" in caplog.text
    local.cache.keep(KEY, 1, page())
    assert local.supply(1) == [1]


def test_an_entry_under_another_name_is_not_used(local: Shelf) -> None:
    for key in (KEY, OTHER):
        local.cache.keep(key, 1, page())
    local.entry(1).rename(local.entry(2))
    assert local.supply(1, 2) == []
    local.entry(1, OTHER).rename(local.entry(1))
    assert local.supply(1, 2) == []


def test_other_users_cannot_read_the_cache(local: Shelf) -> None:
    local.cache.keep(KEY, 1, page())
    modes = [path.stat().st_mode & 0o777 for path in (local.entry(), local.entry().parent, local.root / "cache")]
    assert modes == [0o600, 0o700, 0o700]


def test_a_page_that_cannot_be_cached_causes_no_error(local: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    (local.root / "cache").write_text("in the way")
    local.cache.keep(KEY, 1, page())
    unreachable = PageCache(local.storage, Redis(unix_socket_path="/nonexistent", retry=Retry(NoBackoff(), 0)), 10**9)
    unreachable.keep(KEY, 1, page())
    assert caplog.text.count("a page was not added to the cache") == 2
    assert local.supply(1) == []


def test_the_folder_that_was_not_used_for_longest_is_removed_first(local: Shelf) -> None:
    """Ten documents of one page each. The oldest is used again, so it is the newest."""
    keys = [f"{n:064d}" for n in range(10)]
    for age, key in zip(range(10, 0, -1), keys, strict=True):
        local.cache.keep(key, 1, page())
        os.utime(local.entry(1, key).parent, (time.time() - 60 * age,) * 2)
    assert local.supply(1, key=keys[0]) == [1]
    small = PageCache(local.storage, local.redis, 5 * BLOCK)
    assert small.trim() == 6  # to nine tenths of the limit
    assert [key for key in keys if local.entry(1, key).exists()] == [keys[0], *keys[7:]]
    assert local.counted() == 4 * BLOCK
    assert small.trim() == small.trim(anyway=True) == 0


def test_objects_in_storage_are_removed_in_the_same_order(redis: Redis) -> None:
    shelf = Shelf(f"memory://{uuid4()}/spool", redis)
    for key in (KEY, OTHER):
        shelf.cache.keep(key, 1, page())
        time.sleep(0.01)
    assert shelf.supply(1, key=KEY) == [1]
    assert PageCache(shelf.storage, redis, 3 * BLOCK // 2).trim() == 1
    assert shelf.supply(1, key=OTHER) == []
    assert shelf.supply(1, key=KEY) == [1]


def test_the_cache_never_exceeds_its_limit_by_more_than_a_tenth(local: Shelf) -> None:
    limit = 40 * BLOCK
    small = PageCache(local.storage, local.redis, limit)
    small.trim()
    for n in range(1, 200):
        small.keep(KEY if n % 2 else OTHER, n, page(n))
    files = [path.stat().st_blocks * 512 for path in (local.root / "cache").rglob("*.json")]
    assert limit <= sum(files) <= 1.1 * limit
    assert local.counted() == sum(files)
    small.trim()
    small.keep(KEY, 500, page(500))
    assert local.entry(500).exists()


def test_the_size_is_counted_again_when_redis_has_lost_it(local: Shelf) -> None:
    for key in (KEY, OTHER):
        local.cache.keep(key, 1, page())
    local.redis.flushall()
    assert local.cache.trim() == 0
    assert local.counted() == 2 * BLOCK


def test_a_cache_that_is_off_serves_nothing_and_is_emptied(local: Shelf) -> None:
    local.cache.keep(KEY, 1, page())
    off = PageCache(local.storage, local.redis, 0)
    job = Job.parse(ID, RECORD | {"source": Source("a", "source-5", "5", 1).dumps()})
    assert local.cache.key(job, "x", local.spool) is not None
    assert off.key(job, "x", local.spool) is None
    assert off.trim() == 1
    assert not list((local.root / "cache").iterdir())
    assert local.counted() == 0
