"""Search in the text of a job's pages."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ocrqueue.client import Job
from ocrqueue.states import PageState
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.problems import answers
from ocrqueue.web.service import ServiceOf

router = APIRouter(tags=["jobs"])
_MOST = 200  # hits in an answer
_AROUND = 40  # characters shown before and after the words


class Hit(BaseModel):
    """A line that has the words."""

    page: int = Field(description="number of the page in the document")
    line: int | None = Field(description="index of the line on the page, from 0; null: the page has no lines")
    text: str = Field(description="the line, or the words with what stands around them")


class Hits(BaseModel):
    """The lines that have the words, by page."""

    items: list[Hit]
    more: bool = Field(description=f"there are more than the {_MOST} items")


@router.get("/jobs/{job}/search", response_model=Hits, responses=answers(404))
def search(
    job: str, service: ServiceOf, key: Reader, q: Annotated[str, Query(min_length=1, max_length=200)]
) -> dict[str, Any]:
    """Find words in the pages that have been read, in any case. Words that a line's end divides are not found."""
    handle, _ = seen_job(service, key, job)
    found = list(islice(_hits(handle, q.casefold()), _MOST + 1))
    return {"items": found[:_MOST], "more": len(found) > _MOST}


def _hits(job: Job, words: str) -> Iterator[dict[str, Any]]:
    for record in job.page_states():
        if record.state == PageState.OK and (page := job.page(record.number)) is not None:
            yield from ({"page": record.number, "line": line, "text": text} for line, text in _lines(page, words))


def _lines(page: Mapping[str, Any], words: str) -> Iterator[tuple[int | None, str]]:
    """The lines of a page that have the words: index and text."""
    if page["lines"]:
        yield from ((i, line["text"]) for i, line in enumerate(page["lines"]) if words in line["text"].casefold())
        return
    for text in page["text"].split("\n"):
        if (place := text.casefold().find(words)) >= 0:
            yield None, text[max(0, place - _AROUND) : place + len(words) + _AROUND]
