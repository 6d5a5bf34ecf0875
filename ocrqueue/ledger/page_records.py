"""What the ledger knows about the pages of a job."""

from collections.abc import Iterator

from redis import Redis

from ocrqueue import names
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
        yield _record(numbers.number(i), i, special.get(str(i)), int(cursor), int(top))


def one(redis: Redis, job: Job, number: int) -> PageRecord | None:
    """The record of one page; None if it was not asked for, or the document is not opened yet."""
    if number not in job.numbers:
        return None
    index = job.numbers.index(number)
    with redis.pipeline() as pipe:
        pipe.hmget(names.job_key(job.id), "cursor", "top")
        pipe.hget(names.pages_key(job.id), str(index))
        (cursor, top), known = pipe.execute()
    return _record(number, index, known, int(cursor or 0), int(top or 0))


def _record(number: int, index: int, known: str | None, cursor: int, top: int) -> PageRecord:
    """A page by its value in the hash of pages, which holds no page that was read, and no open one after `cursor`."""
    if known is not None:
        return PageRecord.parse(number, known)
    return PageRecord(
        number, PageState.OK if index <= cursor else PageState.OPEN if index <= top else PageState.CANCELLED
    )
