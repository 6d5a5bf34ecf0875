"""The strip of a job's pages: a letter for each page, so that thousands of pages are a few thousand bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ocrqueue.errors import FINAL_CODES
from ocrqueue.ledger import PageRecord
from ocrqueue.page_set import PageSet
from ocrqueue.pages import POORLY_READ
from ocrqueue.states import PageState
from ocrqueue.web.content.seen import Seen

_LETTERS = {
    PageState.OPEN: ".",
    PageState.CLAIMED: "c",
    PageState.OK: "k",
    PageState.FAILED: "f",
    PageState.CANCELLED: "x",
}
FAIRLY_READ = 0.9  # quality below which a page is not shown as good: more than one word in ten is probably wrong
_FAIR, _POOR = "d", "p"  # was read, but not well, or poorly
_NAMED = 12  # pages that are named
_LONGEST = 2000  # characters of an id of an event in an address; proxies refuse long ones


@dataclass(frozen=True, slots=True)
class Strip:
    """The states of all pages of a job at one time."""

    numbers: str  # of the pages in the document, as ranges such as "1-57,60"
    letters: str  # the state of each page, in the order of their numbers
    failed: Sequence[int]  # the numbers of the first failed pages
    poor: Sequence[int]  # the numbers of the first pages that were poorly read
    may_be_retried: bool  # whether a failed page may be read if it is tried again
    first: int | None  # the number of the first page that was read, else of the first; None: there are no pages yet
    seen: str  # the id of the last event that tells about these pages: a browser follows the job from here on

    @classmethod
    def of(cls, pages: Sequence[PageRecord], round: int) -> "Strip":
        """The strip of these pages, in order, in this round of the job."""
        seen = Seen(round)
        for page in pages:
            if page.state not in (PageState.OPEN, PageState.CLAIMED):
                seen.take(page)
        read = (page.number for page in pages if page.state == PageState.OK)
        return cls(
            numbers=str(PageSet(page.number for page in pages)),
            letters="".join(map(_letter, pages)),
            failed=[page.number for page in pages if page.state == PageState.FAILED][:_NAMED],
            poor=[page.number for page in pages if _is_poor(page)][:_NAMED],
            may_be_retried=any(page.state == PageState.FAILED and page.code not in FINAL_CODES for page in pages),
            first=next(read, pages[0].number if pages else None),
            seen=text if len(text := str(seen)) <= _LONGEST else "",
        )


def _letter(page: PageRecord) -> str:
    if _is_poor(page):
        return _POOR
    return _FAIR if page.quality is not None and page.quality < FAIRLY_READ else _LETTERS[page.state]


def _is_poor(page: PageRecord) -> bool:
    return page.quality is not None and page.quality < POORLY_READ
