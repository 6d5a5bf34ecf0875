"""Lists of jobs and of failed pages, paged by cursor."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from ocrqueue.client.listing import JobFilter
from ocrqueue.states import JobState
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.shapes import DeadList, JobList, job_json
from ocrqueue.web.keys import Key, Right
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import ServiceOf

router = APIRouter(tags=["jobs"])
Limit = Annotated[int, Query(ge=1, le=200, description="items at most; there may be fewer, even none, before the end")]
From = Annotated[str | None, Query(alias="cursor", max_length=400, description="the `next_cursor` of the part before")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The query parameters that choose jobs."""

    state: Annotated[JobState | None, Query(description="only jobs in this state")] = None
    name: Annotated[str | None, Query(max_length=200, description="a part of the document's name")] = None
    owner: Annotated[str | None, Query(max_length=64, description="name of an API key that submitted them")] = None
    created_from: Annotated[float | datetime | None, Query(description="ISO 8601, or seconds since 1970")] = None
    created_to: Annotated[float | datetime | None, Query(description="ISO 8601, or seconds since 1970")] = None

    def for_key(self, key: Key) -> JobFilter | None:
        """The jobs that are listed for a caller; None if the caller may see none of them."""
        owner = self.owner
        if not key.may(Right.READ_ALL):
            if owner not in (None, key.name):
                return None
            owner = key.name
        first = -math.inf if self.created_from is None else _seconds(self.created_from)
        last = math.inf if self.created_to is None else _seconds(self.created_to)
        return JobFilter(self.state, self.name, owner, first, last)


@router.get("/jobs", response_model=JobList)
def jobs(
    service: ServiceOf, key: Reader, wanted: Annotated[Wanted, Depends()], limit: Limit = 50, cursor: From = None
) -> dict[str, Any]:
    """The jobs that the caller may see, newest first."""
    chosen = wanted.for_key(key)
    if chosen is None:
        return {"items": [], "next_cursor": None}
    part = service.client.jobs_part(chosen, limit, cursor)
    root = service.settings.root_path
    return {"items": [job_json(status, root) for status in part.items], "next_cursor": part.next_cursor}


@router.get("/dead", response_model=DeadList)
def dead(service: ServiceOf, key: Reader, limit: Limit = 50, cursor: From = None) -> dict[str, Any]:
    """The failed pages that a retry may read, oldest first. Page 0 is the document itself."""
    part = service.client.dead_part(limit, cursor, None if key.may(Right.READ_ALL) else key.name)
    return {"items": [page.to_json() for page in part.items], "next_cursor": part.next_cursor}


def _seconds(when: float | datetime) -> float:
    """Seconds since 1970. A time without a zone is in UTC. Raises ApiError for a number that is no time."""
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(when):
        raise ApiError("invalid_request", "query.created_from, query.created_to: use ISO 8601, or seconds since 1970")
    return when
