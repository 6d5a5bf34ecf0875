"""The job page: the states of all pages, and one page with its image and text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup

from ocrqueue.client import Job, JobStatus
from ocrqueue.errors import FINAL_CODES
from ocrqueue.ledger import PageRecord
from ocrqueue.pages import POORLY_READ
from ocrqueue.states import FormatName, JobState, PageState
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.paragraphs import paragraphs
from ocrqueue.web.routes.pages import Number
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.shaped import answering
from ocrqueue.web.ui.doubts import Part, parts_of
from ocrqueue.web.ui.markdown import rendered
from ocrqueue.web.ui.rendering import error_page, page
from ocrqueue.web.ui.strip import FAIRLY_READ, Strip

_FINISHED = (PageState.OK, PageState.FAILED, PageState.CANCELLED)
router = APIRouter(include_in_schema=False, route_class=answering(error_page))


@dataclass(frozen=True, slots=True)
class Shown:
    """The page that is shown, as the template needs it."""

    number: int | None  # in the document; None: the job has no page yet
    last: int | None  # number of the last page; None: the job has no such page
    previous: int | None  # numbers of its neighbours
    next: int | None
    page: Mapping[str, Any] | None  # of the result; None: it is not finished
    parts: Sequence[Sequence[Part]] = ()  # of each line of the page

    @property
    def paragraphs(self) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
        """The paragraphs with their lines; each line has its `index` among the lines of the page."""
        assert self.page is not None
        lines = [{**line, "index": index} for index, line in enumerate(self.page["lines"])]
        return paragraphs({**self.page, "lines": lines})

    @property
    def doubtful(self) -> int:
        """How many words have a low confidence."""
        return sum(part.number > 0 for parts in self.parts for part in parts)

    @property
    def markdown(self) -> Markup:
        """The Markdown as HTML in which nothing can run."""
        assert self.page is not None
        return rendered(self.page["markdown"])


@router.get("/jobs/{job}")
def job_page(
    job: str,
    request: Request,
    service: ServiceOf,
    key: Reader,
    number: Annotated[int | None, Query(alias="page")] = None,
) -> Response:
    """A job, and one of its pages: the first that was read, unless another is asked for."""
    handle, status = seen_job(service, key, job)
    pages = handle.page_states()
    strip = Strip.of(pages, status.round)
    shown = _shown(handle, pages, strip.first if number is None else number)
    return page(request, "job.html", shown=shown, **_head(status, strip))


@router.get("/jobs/{job}/head")
def head(job: str, request: Request, service: ServiceOf, key: Reader) -> Response:
    """The part of the job page that changes while the job is read: its state, its commands, and that of each page."""
    handle, status = seen_job(service, key, job)
    strip = service.recent.get(("strip", handle.id, status.round), lambda: Strip.of(handle.page_states(), status.round))
    return page(request, "job_head.html", **_head(status, strip))


@router.get("/jobs/{job}/pages/{number}")
def viewer(job: str, number: Number, request: Request, service: ServiceOf, key: Reader) -> Response:
    """The part of the job page that shows one page."""
    handle, status = seen_job(service, key, job)
    return page(request, "viewer.html", job=status, shown=_shown(handle, handle.page_states(), number))


def _head(status: JobStatus, strip: Strip) -> dict[str, Any]:
    """The variables of the template job_head.html."""
    return {
        "job": status,
        "strip": strip,
        "retry": _retry(status, strip),
        "poorly_read": POORLY_READ,
        "fairly_read": FAIRLY_READ,
        "formats": tuple(FormatName),
    }


def _retry(status: JobStatus, strip: Strip) -> str | None:
    """The name of the text on the button that reads a job again; None where that would fail in the same way."""
    if not status.has_ended or status.state == JobState.DONE:
        return None
    if status.failed:
        return "retry" if strip.may_be_retried else "retry_cancelled" if status.cancelled else None
    if status.state == JobState.CANCELLED:
        return "retry_cancelled"
    return "retry_document" if status.code not in FINAL_CODES else None


def _shown(job: Job, states: Sequence[PageRecord], number: int | None) -> Shown:
    place = next((i for i, one in enumerate(states) if one.number == number), None)
    if number is None or place is None:
        return Shown(number, None, None, None, None)
    previous = states[place - 1].number if place else None
    following = states[place + 1].number if place + 1 < len(states) else None
    found = job.page(number) if states[place].state in _FINISHED else None
    return Shown(number, states[-1].number, previous, following, found, parts_of(found) if found else ())
