"""What the ledger knows about the pages of a job."""

from collections.abc import Iterator, Mapping
from typing import cast

from redis import Redis

from ocrqueue import names
from ocrqueue.ledger.qualities import field_of, quality_of
from ocrqueue.ledger.records import Job, PageNumbers, PageRecord
from ocrqueue.states import PageState


def every(redis: Redis, job: Job) -> Iterator[PageRecord]:
    """The records of all pages asked for, in order. Empty until the document is opened."""
    with redis.pipeline() as pipe:
        pipe.hmget(names.job_key(job.id), "cursor", "top", "n", "total")
        pipe.hgetall(names.pages_key(job.id))
        (cursor, top, asked, total), special = pipe.execute()
    if asked is None:
        return
    numbers = PageNumbers(job.options.pages, int(total or 0))  # `job` may have been read before it was opened
    for i in range(1, int(asked) + 1):
        yield page_record(numbers.number(i), i, special, int(cursor), int(top))


def one(redis: Redis, job: Job, number: int) -> PageRecord | None:
    """The record of one page; None if it was not asked for, or the document is not opened yet."""
    numbers = job.numbers
    if number not in numbers:
        return None
    index = numbers.index(number)
    with redis.pipeline() as pipe:
        pipe.hmget(names.job_key(job.id), "cursor", "top")
        asked = [str(index), field_of(index)]
        pipe.hmget(names.pages_key(job.id), asked)
        (cursor, top), values = pipe.execute()
    return page_record(number, index, dict(zip(asked, values, strict=True)), int(cursor or 0), int(top or 0))


def claimed(redis: Redis, job: Job, token: str) -> list[int]:
    """The numbers of the pages of a claim; empty if the claim is no longer live, or has no pages."""
    what = cast("str | None", redis.hget(names.job_key(job.id), f"claim:{token}")) or ""
    if not what.startswith("page "):
        return []
    _, _, indices = what.split(" ")
    return [job.numbers.number(int(index)) for index in indices.split(",")]


def page_record(number: int, index: int, fields: Mapping[str, str | None], cursor: int, top: int) -> PageRecord:
    """A page by its fields in the hash of pages, which holds no page that was read, and no open one after `cursor`."""
    if (known := fields.get(str(index))) is not None:
        return PageRecord.parse(number, known)
    if index <= cursor:
        return PageRecord(number, PageState.OK, quality=quality_of(index, fields))
    return PageRecord(number, PageState.OPEN if index <= top else PageState.CANCELLED)
