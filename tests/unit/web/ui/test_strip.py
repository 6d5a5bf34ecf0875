"""The strip of a job's pages."""

from ocrqueue.ledger import PageRecord
from ocrqueue.page_set import PageSet
from ocrqueue.pages import POORLY_READ
from ocrqueue.states import PageState
from ocrqueue.web.content.seen import Seen
from ocrqueue.web.ui.strip import FAIRLY_READ, Strip

STATES = (PageState.FAILED, PageState.OK, PageState.CLAIMED, PageState.OPEN, PageState.CANCELLED)


def test_each_page_has_a_letter():
    strip = Strip.of([PageRecord(number, state) for number, state in zip((2, 3, 4, 8, 9), STATES, strict=True)], 2)
    assert (strip.numbers, strip.letters, strip.failed, strip.first) == ("2-4,8-9", "fkc.x", [2], 3)


def test_a_page_that_was_read_has_one_of_three_levels_of_quality():
    qualities = (None, 0.0, POORLY_READ - 0.01, POORLY_READ, FAIRLY_READ - 0.01, FAIRLY_READ, 1.0)
    strip = Strip.of([PageRecord(number, PageState.OK, quality=one) for number, one in enumerate(qualities, 1)], 1)
    assert (strip.letters, strip.poor) == ("kppddkk", [2, 3])


def test_a_browser_goes_on_after_the_pages_that_have_finished():
    strip = Strip.of([PageRecord(number, state) for number, state in enumerate(STATES, 1)], 2)
    assert strip.seen == str(Seen(2, PageSet([1, 2, 5]), PageSet([1, 5]))) == "2;1-2,5;1,5"


def test_without_pages_there_is_nothing():
    assert Strip.of([], 1) == Strip("", "", [], [], False, None, "1;;")


def test_a_job_that_is_read_in_odd_order_is_followed_from_the_start():
    pages = [PageRecord(number, (PageState.OK, PageState.OPEN)[number % 2]) for number in range(1, 2001)]
    assert Strip.of(pages, 1).seen == ""
