"""Drop capitals, which stand beside the first lines of a text."""

import pytest

from ocrqueue.layout import arrange
from ocrqueue.pages import PageText
from tests.support.pagemaker import PITCH, line, shuffled


def read(capital, *lines, size=70):
    """The text of a page whose first three lines stand beside a capital."""
    page = [line(capital, 100, 205, size=size, width=40)]
    page += [line(text, 150 if i < 3 else 100, 200 + i * PITCH) for i, text in enumerate(lines)]
    return arrange(PageText(shuffled(page))).plain


REST = [
    "the hive behind the barn. There was no",
    "sound. She wondered what it meant, and",
    "went down to a fire in the house.",
]


@pytest.mark.parametrize(
    ("capital", "first", "begins"),
    [
        ("S", "he woke before the others and saw", "She woke before"),
        ("“S", "he woke before the others and saw", "“She woke before"),
        ("S", "HE WOKE before the others and saw", "SHE WOKE before"),
        ("A", "what woke before the others saw", "A what woke before"),  # "what" is a word of the page
        ("A", "fter they had seen it they woke", "After they had"),
    ],
)
def test_a_drop_capital_begins_the_first_line(capital, first, begins):
    text = read(capital, first, *REST)
    assert text.startswith(begins)
    assert text.replace("\n\n", "\n").split("\n")[1:] == REST


def test_a_letter_that_is_no_larger_than_the_text_stays():
    assert not read("S", "he woke before the others", *REST, size=20).startswith("She")


def test_the_line_begins_where_its_capital_does():
    page = PageText(
        [line("S", 100, 205, size=70, width=40), *(line(text, 150, 200 + i * PITCH) for i, text in enumerate(REST))]
    )
    first = arrange(page).lines[0]
    assert (first.text[-len(REST[0]) :], first.box[0], len(arrange(page).lines)) == (REST[0], (100, 200), 3)
