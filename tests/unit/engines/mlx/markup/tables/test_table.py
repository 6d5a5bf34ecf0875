"""How tables are written."""

from ocrqueue.engines.mlx.markup.tables.table import Cell, as_html, as_markdown, as_text

PLAIN = [[Cell("a", is_head=True), Cell("b|c")], [Cell("1\n2")]]
SPANNED = [[Cell("a", rows=2), Cell("b", columns=2)], [Cell("<i>"), Cell("d & e")]]


def test_html_is_escaped():
    assert as_html(SPANNED) == (
        '<table>\n<tr><td rowspan="2">a</td><td colspan="2">b</td></tr>\n'
        "<tr><td>&lt;i&gt;</td><td>d &amp; e</td></tr>\n</table>"
    )
    assert as_html(PLAIN).split("\n")[1] == "<tr><th>a</th><td>b|c</td></tr>"


def test_markdown_has_pipes_unless_a_cell_spans_others():
    assert as_markdown(PLAIN) == "| a | b\\|c |\n| --- | --- |\n| 1<br>2 |"
    assert as_markdown(SPANNED) == as_html(SPANNED)
    assert as_markdown([]) == as_html([]) == as_text([]) == ""


def test_the_head_of_a_markdown_table_is_as_wide_as_its_widest_row():
    assert (
        as_markdown([[Cell("a")], [Cell("b"), Cell("c")], [Cell("d")]]) == "| a |  |\n| --- | --- |\n| b | c |\n| d |"
    )


def test_a_table_with_one_wide_row_does_not_fill_the_others():
    rows = [[Cell("x")] * 2000, *[[Cell("y")]] * 2000]
    assert max(len(as_markdown(rows)), len(as_html(rows)), len(as_text(rows))) < 100_000


def test_text_keeps_columns_in_line():
    assert as_text(PLAIN) == "a\tb|c\n1 2"
    assert as_text(SPANNED) == "a\tb\n\t<i>\td & e"


def test_spans_that_no_page_has_do_not_make_the_text_long():
    rows = [[Cell("a", columns=10**6, rows=10**6), Cell("b")], *([Cell("c")] for _ in range(10))]
    assert len(as_text(rows)) < 2000
