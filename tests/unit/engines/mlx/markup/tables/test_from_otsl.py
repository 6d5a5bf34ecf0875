"""Tables in OTSL."""

import pytest

from ocrqueue.engines.mlx.markup.tables.from_otsl import has_otsl, read_otsl, with_tables
from ocrqueue.engines.mlx.markup.tables.table import Cell


def rows(content):
    return [list(row) for row in read_otsl(content)[1]]


def test_cells_and_heads():
    assert rows("<ched>A<rhed>B<nl><fcel>1<ecel><nl>") == [
        [Cell("A", is_head=True), Cell("B", is_head=True)],
        [Cell("1"), Cell("")],
    ]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("<fcel>a<lcel><lcel><nl>", [[Cell("a", columns=3)]]),
        ("<fcel>a<fcel>b<nl><ucel><fcel>c<nl>", [[Cell("a", rows=2), Cell("b")], [Cell("c")]]),
        ("<fcel>a<lcel><fcel>b<nl><ucel><xcel><fcel>c<nl>", [[Cell("a", columns=2, rows=2), Cell("b")], [Cell("c")]]),
        ("<lcel><ucel><xcel><nl>", [[Cell(""), Cell(""), Cell("")]]),
        ("<fcel>a<lcel>word<nl>", [[Cell("a"), Cell("word")]]),
        (  # three of four places: no rectangle
            "<fcel>a<lcel><nl><ucel><fcel>b<nl>",
            [[Cell("a"), Cell("")], [Cell(""), Cell("b")]],
        ),
        ("<fcel>a<fcel>b<nl>between<fcel>c<nl>", [[Cell("a"), Cell("b")], [Cell("between")], [Cell("c")]]),
        ("<fcel>cut", [[Cell("cut")]]),
        ("<nl><nl>", []),
    ],
)
def test_spans(content, wanted):
    assert rows(content) == wanted


def test_text_before_and_after():
    assert with_tables("one<fcel>a<nl>two") == "one\n\n| a |\n| --- |\n\ntwo"
    assert with_tables("no table") == "no table"


def test_a_text_is_recognised_by_its_tags():
    assert has_otsl("<nl>")
    assert not has_otsl("<table><td>fcel")
