"""Sets of page numbers, written as ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrqueue.page_set import PageSet


@given(st.lists(st.integers(1, 40)))
def test_it_is_a_set_that_is_written_and_read(numbers: list[int]) -> None:
    pages = PageSet(numbers)
    assert list(pages) == sorted(set(numbers))
    assert len(pages) == len(set(numbers))
    assert [n for n in range(42) if n in pages] == sorted(set(numbers))
    assert str(PageSet.parse(str(pages))) == str(pages)


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_the_numbers_that_are_not_in_another_set(numbers: set[int], others: set[int]) -> None:
    left = PageSet(sorted(numbers)).without(PageSet(sorted(others)))
    assert list(left) == sorted(numbers - others)
    assert str(PageSet.parse(str(left))) == str(left)


def test_neighbours_are_one_range() -> None:
    assert str(PageSet([5, 1, 3, 2, 9])) == "1-3,5,9"
    assert str(PageSet([1, 3, 2])) == "1-3"
    assert str(PageSet()) == ""


@pytest.mark.parametrize(
    "text", ["1-1", "2-1", "1,1", "3,2", "1-2,3", "1,2", "-1", "1-", "a", "1, 2", ",", "01", "1;2"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="page numbers"):
        PageSet.parse(text)
