"""The pages of a job that have finished since the last look, each once."""

from collections import deque
from typing import cast

from redis import Redis

from ocrqueue import names
from ocrqueue.ledger.page_records import page_record
from ocrqueue.ledger.qualities import fields_of
from ocrqueue.ledger.records import Job, PageNumbers, PageRecord
from ocrqueue.states import PageState

_AHEAD = 4  # states asked for beyond the number that is wanted; doubled until enough are found


class FinishedPages:
    """Reads the states of a job's pages from Redis until all have finished.

    Each look asks only for pages that may have finished since the last one: those that were claimed meanwhile, and
    those that were open or claimed then. All looks together ask for a number of states that grows with the number of
    pages, not with its square.
    """

    def __init__(self, redis: Redis, job: str) -> None:
        self._redis = redis
        self._job = job
        self._numbers: PageNumbers | None = None  # known once the document is opened
        self._passed = 0  # pages up to this index were claimed once
        self._unfinished: deque[int] = deque()  # those of them that had not finished at the last look, ascending
        self._returned = 0  # pages returned so far

    def read(self, job: Job) -> list[PageRecord]:
        """The pages that are ok, failed or cancelled and were not returned before, ascending.

        Empty until the document is opened. `job` is the job's record, read a moment ago.
        """
        fields = self._redis.hmget(names.job_key(self._job), "cursor", "top", "n", "ok", "failed", "cancelled", "total")
        if fields[2] is None:
            return []
        cursor, top, asked, *finished, total = (int(field or 0) for field in fields)
        if self._numbers is None:
            self._numbers = PageNumbers(job.options.pages, total)
        new = sum(finished) - self._returned
        unread = self._pass_on(cursor, top, asked)
        found = self._look(self._numbers, cursor, new - len(unread))
        found += [PageRecord(self._numbers.number(i), PageState.CANCELLED) for i in unread]
        self._returned += len(found)
        return found

    def _pass_on(self, cursor: int, top: int, asked: int) -> range:
        """Takes note of the pages up to `cursor`; returns the indices that were cancelled before any claim."""
        self._unfinished.extend(range(self._passed + 1, cursor + 1))
        self._passed = max(self._passed, cursor)
        if top >= asked:
            return range(0)
        unread = range(self._passed + 1, asked + 1)
        self._passed = asked
        return unread

    def _look(self, numbers: PageNumbers, cursor: int, wanted: int) -> list[PageRecord]:
        """Looks at unfinished pages, lowest first as workers claim them, until `wanted` finished ones are found."""
        found: list[PageRecord] = []
        still: list[int] = []
        size = wanted + _AHEAD
        while self._unfinished and len(found) < wanted:
            chunk = [self._unfinished.popleft() for _ in range(min(size, len(self._unfinished)))]
            size *= 2
            asked = [*map(str, chunk), *fields_of(chunk)]
            values = cast("list[str | None]", self._redis.hmget(names.pages_key(self._job), asked))
            fields = dict(zip(asked, values, strict=True))
            for i in chunk:
                # a page that was claimed is open again if Redis lost the job and it was created again
                page = page_record(numbers.number(i), i, fields, cursor, top=self._passed)
                if page.state in (PageState.OPEN, PageState.CLAIMED):
                    still.append(i)
                else:
                    found.append(page)
        self._unfinished.extendleft(reversed(still))
        return found
