"""What the id of an event says."""

import pytest

from ocrqueue.ledger import PageRecord
from ocrqueue.page_set import PageSet
from ocrqueue.states import PageState
from ocrqueue.web.content.seen import Seen
from ocrqueue.web.problems import ApiError


def page(number: int, state: PageState = PageState.OK) -> PageRecord:
    return PageRecord(number, state)


def test_an_id_says_which_pages_were_sent() -> None:
    seen = Seen()
    seen.enter(1)
    assert [seen.take(page(n)) for n in (1, 3, 2, 2, 7)] == [True, True, True, False, True]
    assert seen.take(page(8, PageState.FAILED))
    assert str(seen) == "1;1-3,7-8;8"
    seen.has_ended = True
    assert str(Seen.parse(str(seen))) == "1;1-3,7-8;8;end"


def test_in_a_new_round_pages_are_awaited_that_were_not_read() -> None:
    seen = Seen.parse("1;1-3,7-8;8;end")
    seen.enter(2)
    assert str(seen) == "2;1-3,7;"
    assert seen.take(page(8))
    seen.enter(2)
    assert str(seen) == "2;1-3,7-8;"


def test_the_ranges_of_an_id_are_never_counted_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may send ranges of ten million pages, and the event loop reads them."""
    monkeypatch.setattr(PageSet, "__iter__", None)
    seen = Seen.parse("1;1-9999999;5,9")
    seen.enter(2)
    assert str(seen) == "2;1-4,6-8,10-9999999;"


def test_without_an_id_nothing_was_sent() -> None:
    assert str(Seen.parse(None)) == str(Seen.parse("")) == "0;;"


@pytest.mark.parametrize("id", ["1", "x;;", "1;;;", "1;2-1;", "1;;;end;", "1;1;x"])
def test_other_ids_are_refused(id: str) -> None:
    with pytest.raises(ApiError, match="Last-Event-ID"):
        Seen.parse(id)
