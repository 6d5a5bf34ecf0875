"""Lines that an engine joined across the gutter between two columns."""

import random

import pytest

from ocrqueue.layout import arrange
from ocrqueue.pages import PageText
from tests.support.pagemaker import PITCH, column, leftwards, line, order, texts, turned, with_words

EDGES = ((100, 494), (506, 900))  # left and right edges of two columns: the gutter is 12 pixels, the lines are 20 high
THREE = ((100, 360), (372, 632), (644, 904))
GAP = 8  # pixels between words: with the gutter, some in each row are wider than others, but not at the same place


def words_of(edges, name, chance):
    """Words of various widths that fill a column, as (text, left, right)."""
    left, right = edges
    found = []
    while left + 150 < right:
        width = chance.randint(30, 90)
        found.append((f"{name}{len(found)}", left, left + width))
        left += width + GAP + chance.randint(-3, 4)
    return [*found, (f"{name}{len(found)}", left, right)]


def joined(row, columns, top, chance):
    """A line with the words of all columns, and the text of each column."""
    parts = [words_of(edges, f"column{index}row{row}word", chance) for index, edges in enumerate(columns)]
    words = [word for part in parts for word in part]
    whole = line(" ".join(text for text, *_ in words), words[0][1], top, width=words[-1][2] - words[0][1])
    return with_words(whole, *words), [" ".join(text for text, *_ in part) for part in parts]


def page_of(count, columns=EDGES):
    """A page of joined lines, and the texts of its columns one after the other."""
    chance = random.Random(1)
    made = [joined(row, columns, 200 + PITCH * row, chance) for row in range(count)]
    return [whole for whole, _ in made], [parts[index] for index in range(len(columns)) for _, parts in made]


@pytest.mark.parametrize("columns", [EDGES, THREE])
def test_columns_whose_lines_were_joined_are_read_one_after_the_other(columns):
    page, expected = page_of(14, columns)
    assert order(page) == expected


def test_joined_lines_on_a_skewed_page():
    page, expected = page_of(14)
    assert order(turned(page, 2)) == expected


def test_joined_lines_in_hebrew():
    page, expected = page_of(14)
    assert order(leftwards(page, 1000)) == texts(leftwards([line(x, 0, 0) for x in expected], 1000))


def test_few_rows_do_not_show_a_gutter():
    page, _ = page_of(11)
    assert order(page) == texts(page)


def test_text_of_the_full_width_is_not_divided():
    page, _ = page_of(60, ((100, 900),))
    assert order(page) == texts(page)


def test_some_lines_of_two_columns_were_joined():
    page, expected = page_of(14)
    apart = [part for row in page[5:] for part in arrange(PageText(page)).lines if part.box[0][1] == row.box[0][1]]
    assert len(apart) == 18
    assert order([*page[:5], *apart]) == expected


@pytest.mark.parametrize(("row", "is_divided"), [(7, True), (0, False), (13, False)])
def test_one_joined_line_is_divided_between_others_that_are_apart(row, is_divided):
    page, expected = page_of(14)
    apart = [x for x in arrange(PageText(page)).lines if x.box[0][1] != page[row].box[0][1]]
    found = order([*apart, page[row]])
    assert (found == expected) == is_divided
    assert (page[row].text in found) != is_divided


def test_a_line_of_one_column_whose_box_is_too_long_does_not_end_the_gutter():
    page, expected = page_of(14)
    page[7] = line(expected[21], 490, page[7].box[0][1], width=410)
    del expected[7]
    assert order(page) == expected


def test_a_heading_across_separate_columns_is_not_divided():
    left, right = column("left", 100, 200, 14, width=394), column("right", 506, 200, 14, width=394)
    heading = line("What fathers know of their sons", 300, 170, width=400)
    heading = with_words(heading, ("What", 300, 380), ("fathers", 390, 494), ("know", 506, 580), ("of", 590, 610),
                         ("their", 620, 650), ("sons", 660, 700))  # fmt: skip
    assert order([heading, *left, *right])[0] == heading.text


def test_bullets_are_not_divided_from_their_items():
    chance = random.Random(1)
    items = []
    for row in range(20):
        words = [("•", 100, 110), *words_of((122, 900), f"r{row}w", chance)]
        item = line(" ".join(text for text, *_ in words), 100, 200 + PITCH * row, width=800)
        items.append(with_words(item, *words))
    assert order(items) == texts(items)


@pytest.mark.parametrize(("gutter", "is_divided"), [(1, False), (14, True)])
def test_lines_of_chinese_are_divided_where_the_gap_is_wide(gutter, is_divided):
    page = []
    for row in range(14):
        lefts = [100 + 21 * i + (gutter - 1) * (i >= 20) for i in range(40)]
        whole = line("字" * 40, 100, 200 + PITCH * row, width=lefts[-1] - 80)
        page.append(with_words(whole, *(("字", left, left + 20) for left in lefts)))
    assert {len(text) for text in order(page)} == ({20} if is_divided else {40})
