"""Search in the text of a job's pages."""

import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing, suppress
from itertools import islice
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ocrqueue.client import Job, JobStatus
from ocrqueue.states import PageState
from ocrqueue.storage import results
from ocrqueue.storage.spool import Spool, result_name
from ocrqueue.web.access import seen_job
from ocrqueue.web.callers import Reader
from ocrqueue.web.content.pieces import slices
from ocrqueue.web.problems import answers
from ocrqueue.web.service import ServiceOf

router = APIRouter(tags=["jobs"])
_MOST = 200  # hits in an answer
_AROUND = 40  # characters shown before and after the words
_LONGEST = 1000  # characters of a line that is shown whole


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
async def search(
    job: str, service: ServiceOf, key: Reader, q: Annotated[str, Query(min_length=1, max_length=200)]
) -> dict[str, Any]:
    """Find words in the pages that have been read, in any case. Words that a line's end divides are not found."""
    handle, status = await run_sync(seen_job, service, key, job)
    found: list[dict[str, Any]] = []
    async with aclosing(slices(service.makers, _hits(service.client.spool, handle, status, q.casefold()))) as looks:
        async for look in looks:
            found += [hit for hits in look for hit in hits]
            if len(found) > _MOST:
                break
    return {"items": found[:_MOST], "more": len(found) > _MOST}


def _hits(spool: Spool, job: Job, status: JobStatus, words: str) -> Iterator[list[dict[str, Any]]]:
    """The hits of each page. For a thread. Raises QueueUnavailable, StorageError."""
    for page in _pages(spool, job, status, words):
        found = _lines(page, words) if page and page["state"] == PageState.OK else ()
        shown = ({"page": page["page"], "line": line, "text": text} for line, text in found) if page else ()
        yield list(islice(shown, _MOST + 1))


def _pages(spool: Spool, job: Job, status: JobStatus, words: str) -> Iterator[Mapping[str, Any] | None]:
    """The pages that may have the words: those of the result, which is one file, or those that were read so far."""
    if status.has_ended:
        with suppress(FileNotFoundError), spool.open_read(job.id, result_name(status.round)) as file:
            yield from results.read_pages(file, json.dumps(words, ensure_ascii=False)[1:-1], in_any_case=True)
            return
    read = [page.number for page in job.page_states() if page.state == PageState.OK]
    yield from spool.stored_pages(job.id, read)


def _lines(page: Mapping[str, Any], words: str) -> Iterator[tuple[int | None, str]]:
    """The lines of a page that have the words: index and text."""
    lines = enumerate(line["text"] for line in page["lines"]) if page["lines"] else _unplaced(page["text"])
    for index, text in lines:
        if (place := text.casefold().find(words)) >= 0:
            is_long = index is None or len(text) > _LONGEST
            yield index, text[max(0, place - _AROUND) : place + len(words) + _AROUND] if is_long else text


def _unplaced(text: str) -> Iterator[tuple[None, str]]:
    """The lines of a page whose lines are not known."""
    return ((None, line) for line in text.split("\n"))
