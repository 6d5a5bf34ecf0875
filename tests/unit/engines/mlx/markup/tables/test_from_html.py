"""The plain text of tables in HTML and Markdown."""

import pytest

from ocrqueue.engines.mlx.markup.tables.from_html import html_tables_as_text, pipe_tables_as_text, with_closed_tables


def as_text(content):
    return html_tables_as_text(content).strip("\n")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>", "a\tb\n1\t2"),
        ("<TABLE BORDER=1><THEAD><TR><TH>a<TH>b</THEAD><TR><TD>1<TD>2</TABLE>", "a\tb\n1\t2"),
        ('<table><tr><td colspan="2">a</td><td>b</td></tr><tr><td>1<td>2<td>3</tr></table>', "a\t\tb\n1\t2\t3"),
        ("<table><tr><td rowspan='2'>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a\tb\n\tc"),
        (
            "<table><tr><td rowspan=2 colspan=2>a</td><td>b</td></tr><tr><td>c</td></tr><tr><td>d</td></tr></table>",
            "a\t\tb\n\t\tc\nd",
        ),
        ("<table><tr><td>\n two\n lines </td><td></td></tr></table>", "two lines"),
        ("<table><tr><td>&lt;b&gt; &amp; &euro;&nbsp;5</td></tr></table>", "<b> & € 5"),
        ("<table><caption>Sales</caption><tr><td>1</td></tr></table>", "Sales\n1"),
        ("<table><tr><td>a<table><tr><td>in</td><td>ner</td></tr></table></td><td>b</td></tr></table>", "a in ner\tb"),
        ("<table><tr><td>a</td><td>b", "a\tb"),
        ("<table><tr><td>a</td><td>b</td><t", "a\tb"),
        ('<table><tr><td>a</td><td>b</td></tr><tr><td colspan="2', "a\tb"),
        ("<table><tr><td colspan=9999999>a<td>b", "a" + "\t" * 100 + "b"),
        ("<td>without a table</td>", "without a table"),
        ("<table></table>", ""),
    ],
)
def test_html(table, text):
    assert as_text(table) == text


def test_text_around_tables_is_on_lines_of_its_own():
    table = "<table><tr><td>a</td></tr></table>"
    assert as_text(f"one{table}two{table}three") == "one\na\ntwo\na\nthree"


def test_text_after_a_table_that_was_never_closed():
    assert as_text("<table><tr><td>a</td></tr>\n\nText\nof the page") == "a\n\nText\nof the page"


def test_words_that_look_like_tags_are_text():
    content = "a<table and b> <tdx> vector<tr,th>"
    assert html_tables_as_text(content) == content


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("| a | b |\n| --- | :-: |\n| 1 | 2 |", "a\tb\n1\t2"),
        (r"| a \| b | &lt; |" + "\n| - | - |", "a | b\t<"),
        ("| a |\n|---|\n| 1 | 2 | 3\ntext", "a\n1\t2\t3\ntext"),
        ("| no table |\n| second |", "| no table |\n| second |"),
        ("|x| > 0", "|x| > 0"),
    ],
)
def test_pipes(table, text):
    assert pipe_tables_as_text(table) == text


@pytest.mark.parametrize(
    ("content", "closed"),
    [
        ("<table><tr><td>a", "<table><tr><td>a</table>"),
        ("<table><tr><td>a</td><td colsp", "<table><tr><td>a</td></table>"),
        ("<table><tr><td><table><tr><td>a", "<table><tr><td><table><tr><td>a</table></table>"),
        ("<table></table></table> text <t", "<table></table></table> text <t"),
    ],
)
def test_cut_tables_are_closed(content, closed):
    assert with_closed_tables(content) == closed
