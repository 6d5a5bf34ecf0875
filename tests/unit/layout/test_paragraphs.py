"""Text and Markdown from the layout of a page."""

import pytest

from ocrqueue.layout import arrange
from ocrqueue.layout.markdown import escape
from ocrqueue.pages import Line, PageText
from tests.support.pagemaker import PITCH, box, column, line


def page(*rows, left=100, width=600):
    """A page of full lines at the usual distance. A row is a text, a pair (text, left), or None for an empty line."""
    lines = []
    for i, row in enumerate(rows):
        if row is not None:
            text, start = row if isinstance(row, tuple) else (row, left)
            lines.append(line(text, start, 100 + i * PITCH, width=left + width - start))
    return arrange(PageText(lines))


def test_text_keeps_lines_and_separates_paragraphs_by_an_empty_line():
    made = page("The first paragraph", "has two lines.", None, "The second has one.")
    assert made.text == "The first paragraph\nhas two lines.\n\nThe second has one."
    assert made.markdown == "The first paragraph has two lines.\n\nThe second has one."


def test_an_indented_line_begins_a_paragraph():
    made = page("The first paragraph", "has two lines.", ("The second", 130), "has two as well.", "And ends here")
    assert made.markdown == "The first paragraph has two lines.\n\nThe second has two as well. And ends here"


@pytest.mark.parametrize(("last", "is_alone"), [("feet.", False), ("Feet.", True), ("feet and hands", True)])
def test_the_last_word_of_a_sentence_may_have_a_high_box(last, is_alone):
    rows = [
        line(text, 100, 100 + i * PITCH, width=600) for i, text in enumerate(["Alice got up and", "started to her"])
    ]
    made = arrange(PageText([*rows, line(last, 100, 98 + 2 * PITCH, size=30)]))
    assert ("\n\n" in made.text) == is_alone


def test_words_hyphenated_at_line_ends_are_joined_in_markdown_only():
    made = page("The sea was calm and the child-", "ren slept, said Jean-", "Pierre.")
    assert made.markdown == "The sea was calm and the children slept, said Jean-Pierre."
    assert made.text is not None
    assert made.text.count("\n") == 2


def test_a_sentence_continues_in_the_next_column():
    left, right = column("left", 100, 200, 8), column("right", 540, 200, 8)
    left[-1] = line("and here it does not", 100, left[-1].box[0][1], width=400)
    right[0] = line("end but goes on", 540, 200, width=400)
    made = arrange(PageText(left + right))
    assert made.markdown is not None
    assert "it does not end but goes on" in made.markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        (r"of $x_1^2$ and $\frac{a}{b}$, a*b", r"of $x_1^2$ and $\frac{a}{b}$, a\*b"),
        ("$5 or _$6_", r"$5 or \_$6\_"),
        ("$<b>^$ $[a](b)^$", r"$\<b>^$ $\[a\](b)^$"),
    ],
)
def test_formulas_are_not_escaped_but_nothing_else_passes_for_one(text, markdown):
    assert escape(text) == markdown


def test_large_short_lines_are_headings():
    lines = [line("The Title", 100, 100, size=40), line("A Chapter", 100, 180, size=30), line("A Part", 100, 240, 26)]
    made = arrange(PageText(lines + column("text", 100, 300, 6)))
    assert made.markdown is not None
    assert made.markdown.startswith("# The Title\n\n## A Chapter\n\n### A Part\n\ntext 0")


def test_a_large_number_is_not_a_heading():
    made = arrange(PageText([line("80.90", 100, 100, size=40), *column("text", 100, 200, 6)]))
    assert made.markdown is not None
    assert made.markdown.startswith("80.90\n\n")


def test_bullets_and_numbers_make_lists():
    made = page("Take with you:", "• bread", ("and butter", 120), "• wine", None, "1. Go", "2. Come back")
    assert made.markdown == "Take with you:\n\n- bread and butter\n- wine\n\n1. Go\n2. Come back"


def test_a_single_dash_or_number_is_not_a_list():
    assert page("1. A heading like this one", "- said he -").markdown == "1\\. A heading like this one\n\n\\- said he -"


def test_a_single_number_before_large_text_begins_a_heading():
    lines = [line("1. Introduction", 100, 100, size=32), *column("one", 100, 180, 4)]
    lines += [line("2. Methods", 100, 340, size=32), *column("two", 100, 420, 4)]
    made = arrange(PageText(lines)).markdown
    assert made is not None
    assert made.startswith("## 1. Introduction\n\none 0")
    assert "\n\n## 2. Methods\n\ntwo 0" in made


def test_a_numbered_heading_is_not_an_item_of_the_list_below_it():
    lines = [*column("text", 100, 100, 6), line("2. Methods", 100, 320, size=32)]
    lines += [line("1. Take bread", 100, 380), line("2. Take wine", 100, 410)]
    made = arrange(PageText(lines)).markdown
    assert made is not None
    assert made.endswith("\n\n## 2. Methods\n\n1. Take bread\n2. Take wine")


def test_a_list_in_large_letters_stays_a_list():
    lines = [line("1. Take bread", 100, 100, size=32), line("2. Take wine", 100, 150, size=32)]
    made = arrange(PageText(lines + column("text", 100, 260, 6))).markdown
    assert made is not None
    assert made.startswith("1. Take bread\n2. Take wine\n\ntext 0")


def table_rows(pitch=PITCH, top=100):
    rows = ["Name", "Age", "Town"], ["Ada", "36", "London"], ["Emil", "7", "Lönne|berga"], ["Grace", "85", "Arlington"]
    for i, row in enumerate(rows):
        for text, left in zip(row, (100, 300, 500), strict=True):
            yield line(text, left, top + i * pitch)


TABLE = (
    "| Name | Age | Town |\n| --- | --- | --- |\n| Ada | 36 | London |\n"
    "| Emil | 7 | Lönne\\|berga |\n| Grace | 85 | Arlington |"
)


def test_rows_of_cells_make_a_table():
    made = arrange(PageText(list(table_rows())))
    assert made.markdown == TABLE
    assert made.text is not None
    assert made.text.splitlines()[1] == "Ada  36  London"


@pytest.mark.parametrize("pitch", [38, 44, 52])
def test_widely_spaced_rows_of_cells_make_one_table(pitch):
    assert arrange(PageText(list(table_rows(pitch=pitch)))).markdown == TABLE


def test_running_head_and_foot_are_not_part_of_a_widely_spaced_table():
    lines = [line("The Head", 100, 20), *table_rows(44, top=110), line("12", 100, 340)]
    assert arrange(PageText(lines)).markdown == f"The Head\n\n{TABLE}\n\n12"


def test_widely_spaced_text_is_one_paragraph():
    rows = [line(f"Line {i} lorem ipsum dolor sit amet", 100, 100 + i * 44, width=600) for i in range(8)]
    made = arrange(PageText(rows))
    assert made.markdown == " ".join(f"Line {i} lorem ipsum dolor sit amet" for i in range(8))


def test_rows_without_columns_stay_lines():
    rows = [line("Total", 100, 100), line("5.00", 400, 100), line("Thank you", 200, 130), line("Change", 180, 160),
            line("1", 320, 160)]  # fmt: skip
    assert arrange(PageText(rows)).markdown == "Total 5.00  \nThank you  \nChange 1"


def test_short_lines_are_not_joined():
    address = [line(text, 100, 100 + i * PITCH) for i, text in enumerate(["Emil", "Katthult", "Lönneberga in Sweden"])]
    made = arrange(PageText([*address, *column("text", 100, 400, 6)]))
    assert made.markdown is not None
    assert made.markdown.startswith("Emil  \nKatthult  \nLönneberga in Sweden\n\n")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# no heading", "\\# no heading"),
        ("#1 of many", "#1 of many"),
        ("1. no list", "1\\. no list"),
        ("12) no list", "12\\) no list"),
        ("1.50 is a price", "1.50 is a price"),
        ("- no list", "\\- no list"),
        ("+ no list", "\\+ no list"),
        ("-5.59", "-5.59"),
        ("> no quotation", "\\> no quotation"),
        ("---", "\\---"),
        ("===", "\\==="),
        ("- - -", "\\- - -"),
        ("a <b> & c &amp; d", "a \\<b> & c \\&amp; d"),
        ("2 * 3 * 4", "2 \\* 3 \\* 4"),
        ("_so_ but file_name", "\\_so\\_ but file_name"),
        ("[1](x) ![y]", "\\[1\\](x) !\\[y\\]"),
        ("`code` ~~gone~~", "\\`code\\` \\~\\~gone\\~\\~"),
        ("C:\\temp", "C:\\\\temp"),
        ("   indented   text", "indented text"),
    ],
)
def test_characters_with_a_meaning_in_markdown_are_escaped(text, escaped):
    assert escape(text) == escaped


def test_each_line_that_is_not_joined_is_escaped_at_its_beginning():
    receipt = [line("#Total", 100, 100), line("2", 400, 100), line("# of items", 100, 130), line("3", 400, 130)]
    assert arrange(PageText(receipt)).markdown == "#Total 2  \n\\# of items 3"


def test_columns_written_downwards_make_paragraphs():
    downwards = [
        Line(text, box(900 - 40 * n, 100, 930 - 40 * n, 500)) for n, text in enumerate(["私はその", "人を常に", "先生"])
    ]
    assert arrange(PageText(downwards)).markdown == "私はその人を常に先生"
