"""Lists of jobs and of failed pages, in parts. The work for a part is bounded, so a part may be short or empty."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from redis import Redis

from ocrqueue import names
from ocrqueue.client.status import DeadPage, JobStatus
from ocrqueue.errors import OcrError
from ocrqueue.ledger import Job, Ledger, PageRecord
from ocrqueue.ledger.cursors import Cursor, members_after
from ocrqueue.states import JobState, PageState

T = TypeVar("T")
Read = Callable[[Sequence[str]], Mapping[str, JobStatus | OcrError]]
_CHUNK = 200  # records that are read at a time
_MOST = 1000  # records that are looked at for one part


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of a list."""

    items: list[T]
    next_cursor: str | None  # for the next part; None: this is the last one


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are listed. None: all."""

    state: JobState | None = None
    name: str | None = None  # a part of the document's name, in any case
    owner: str | None = None  # name of an API key
    created_from: float = -math.inf  # seconds since 1970
    created_to: float = math.inf  # seconds since 1970

    @property
    def key(self) -> str:
        """The smallest index that has all these jobs."""
        if self.owner is not None:
            return names.owner_key(self.owner)
        return names.JOBS if self.state is None or self.state.has_ended else names.OPEN

    def has(self, status: JobStatus) -> bool:
        """Whether a job of the index is listed."""
        return (self.state in (None, status.state)) and (
            self.name is None or self.name.casefold() in status.name.casefold()
        )


def jobs_part(redis: Redis, read: Read, wanted: JobFilter, limit: int, cursor: str | None) -> Part[JobStatus]:
    """At most `limit` jobs after a cursor, newest first.

    `read(ids)` reads statuses. Raises InvalidOptions for a wrong cursor, redis.RedisError.
    """
    last = Cursor.parse(cursor) if cursor else None
    found: list[JobStatus] = []
    size = _CHUNK if wanted.state or wanted.name else limit  # nearly all jobs of the index are listed
    for _ in range(_MOST // _CHUNK):
        chunk = members_after(
            redis, wanted.key, last, size, newest_first=True, lowest=wanted.created_from, highest=wanted.created_to
        )
        if not chunk:
            return Part(found, None)
        statuses = read(_that_may_be(redis, wanted.state, [at.member for at in chunk]))
        for at in chunk:
            last, status = at, statuses.get(at.member)
            if isinstance(status, JobStatus) and wanted.has(status):  # else dropped meanwhile, or of a newer version
                found.append(status)
                if len(found) == limit:
                    return Part(found, str(last))
    return Part(found, str(last))


def _that_may_be(redis: Redis, state: JobState | None, jobs: list[str]) -> list[str]:
    """Those of these jobs that may be in a state; few of many jobs may have ended so."""
    if state is None or not state.has_ended:
        return jobs
    with redis.pipeline(transaction=False) as pipe:
        for job in jobs:
            pipe.hget(names.job_key(job), "state")
        return [job for job, found in zip(jobs, pipe.execute(), strict=True) if found == state]


def all_jobs(redis: Redis, read: Read, wanted: JobFilter) -> Iterator[JobStatus]:
    """All jobs, oldest first, each read shortly before it is yielded. Raises redis.RedisError."""
    last = None
    while chunk := members_after(
        redis, wanted.key, last, _CHUNK, newest_first=False, lowest=wanted.created_from, highest=wanted.created_to
    ):
        statuses = read(_that_may_be(redis, wanted.state, [at.member for at in chunk]))
        for status in statuses.values():
            if isinstance(status, JobStatus) and wanted.has(status):
                yield status
        last = chunk[-1]


def dead_part(ledger: Ledger, limit: int, cursor: str | None, owner: str | None = None) -> Part[DeadPage]:
    """At most `limit` failed pages that a retry may read, of all jobs or of one owner's, after a cursor; oldest first.

    Raises InvalidOptions for a wrong cursor, redis.RedisError.
    """
    last = Cursor.parse(cursor) if cursor else None
    found: list[DeadPage] = []
    for _ in range(_MOST // _CHUNK):
        chunk = members_after(ledger.redis, names.DEAD, last, _CHUNK, newest_first=False)
        if not chunk:
            return Part(found, None)
        for at, page in zip(chunk, _dead_pages(ledger, [at.member for at in chunk], owner), strict=True):
            last = at
            if page is not None:
                found.append(page)
                if len(found) == limit:
                    return Part(found, str(last))
    return Part(found, str(last))


def all_dead(ledger: Ledger) -> Iterator[DeadPage]:
    """All failed pages that a retry may read, oldest first. Raises redis.RedisError."""
    part = dead_part(ledger, _CHUNK, None)
    yield from part.items
    while part.next_cursor:
        part = dead_part(ledger, _CHUNK, part.next_cursor)
        yield from part.items


def _dead_pages(ledger: Ledger, members: Sequence[str], owner: str | None) -> list[DeadPage | None]:
    """The pages of members of `names.DEAD`; None for one that is no longer dead, or of another owner."""
    pairs = [(job, index) for job, _, index in (member.partition(" ") for member in members)]
    records = ledger.records(dict.fromkeys(job for job, _ in pairs))
    with ledger.redis.pipeline(transaction=False) as pipe:
        for job, index in pairs:
            pipe.hget(names.pages_key(job), index)
        values = cast("list[str | None]", pipe.execute())
    found: list[DeadPage | None] = []
    for (job, index), value in zip(pairs, values, strict=True):
        record = records[job]
        is_theirs = isinstance(record, Job) and (owner is None or record.submitter.owner == owner)
        found.append(_dead_page(record, int(index), value) if is_theirs and isinstance(record, Job) else None)
    return found


def _dead_page(record: Job, index: int, value: str | None) -> DeadPage | None:
    """A failed page by its value in the hash of pages; index 0 is the document itself."""
    if index == 0:
        return DeadPage(record.id, 0, record.code or "", record.message or "", record.source.name)
    page = PageRecord.parse(record.numbers.number(index), value) if value else None
    if page is None or page.state != PageState.FAILED:
        return None
    return DeadPage(record.id, page.number, page.code or "", page.message or "", record.source.name)
