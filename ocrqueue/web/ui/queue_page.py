"""The queue page: what waits, what is read, who reads, and the jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from ocrqueue import names
from ocrqueue.client.listing import JobFilter
from ocrqueue.pages import POORLY_READ
from ocrqueue.states import JobState
from ocrqueue.web.callers import Reader
from ocrqueue.web.keys import Key, Right
from ocrqueue.web.routes.operations import stats
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.shaped import answering
from ocrqueue.web.ui.rendering import error_page, page

_JOBS = 50  # on one page
router = APIRouter(include_in_schema=False, route_class=answering(error_page))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The jobs that are listed."""

    name: str | None = None  # a part of the document's name
    state: str | None = None
    cursor: str | None = None  # of the part of the list

    def filter(self, key: Key) -> JobFilter:
        """The filter for a caller, who sees only the key's own jobs unless it may read all."""
        state = JobState(self.state) if self.state in tuple(JobState) else None
        return JobFilter(state, self.name or None, None if key.may(Right.READ_ALL) else key.name)

    def at(self, cursor: str | None) -> str | None:
        """The address of another part of the same list."""
        if cursor is None:
            return None
        values = {"name": self.name, "state": self.state, "cursor": cursor}
        return "/?" + urlencode({name: value for name, value in values.items() if value})


@router.get("/")
def queue(request: Request, service: ServiceOf, key: Reader, wanted: Annotated[Wanted, Depends()]) -> Response:
    """The queue page."""
    now = service.recent.get("stats", lambda: stats(service, key))
    part = service.client.jobs_part(wanted.filter(key), _JOBS, wanted.cursor)
    values: dict[str, Any] = {
        "now": now,
        "problem": _missing(now["workers"]),
        "jobs": part.items,
        "next": wanted.at(part.next_cursor),
        "wanted": wanted,
        "states": tuple(JobState),
        "poorly_read": POORLY_READ,
        "engines": sorted({name for worker in now["workers"] for name in worker["engines"]}),
        "max_bytes": service.client.settings.max_bytes,
    }
    return page(request, "queue.html", **values)


def _missing(workers: Sequence[Mapping[str, Any]]) -> str | None:
    """The name of the text that says which worker is missing; None if there are both kinds."""
    if not workers:
        return "no_worker"
    if not any(worker["engines"] for worker in workers):
        return "no_page_worker"
    return None if any(names.DOCUMENTS_QUEUE in worker["queues"] for worker in workers) else "no_documents_worker"
