"""Pages made of blocks and of lines."""

from ocrqueue.engines.mlx.markup.parsed import Element, lines_of, page_of
from tests.support.markup import boxes, texts

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))


def test_blocks_in_their_order():
    parsed = page_of(
        [Element("# Head", BOX), Element(" "), Element("**a**"), Element(r"\[x\]", BOX), Element("![](a.png)", BOX)]
    )
    assert parsed.turn == 0
    assert parsed.page.markdown == "# Head\n\n**a**\n\n$$\nx\n$$\n\n![](a.png)"
    assert parsed.page.plain == "Head\n\na\n\n$$\nx\n$$"
    assert (texts(parsed.page), boxes(parsed.page)) == (["Head", "x"], [(0, 0, 9, 9)] * 2)


def test_code_keeps_its_latex():
    code = "```tex\n\\begin{tabular}{l} a \\end{tabular} \\(x\\)\n```"
    assert page_of([Element(code)]).page.markdown == code


def test_lines_with_and_without_boxes():
    page = lines_of([(" one ", BOX), ("", BOX), ("two", None)]).page
    assert (page.plain, page.markdown, texts(page)) == ("one\ntwo", None, ["one"])


def test_what_the_end_of_the_answer_cut_is_closed():
    """Else the next pages of the document would be code, or cells."""
    assert (
        page_of([Element("<table><tr><td>a"), Element("```\nb")]).page.markdown
        == "<table><tr><td>a</table>\n\n```\nb\n```"
    )
