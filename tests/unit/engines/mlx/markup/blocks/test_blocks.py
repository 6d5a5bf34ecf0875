"""The blocks of models' answers."""

import json

import pytest

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.engines.mlx.markup.blocks import blocks_of_page, markdown_blocks, text_blocks
from ocrqueue.pages import Line, PageText
from tests.support.markup import parse

PAGE = r"""# The _old_ harbour

It has a **well-known** pier and a light-
house\*, built in 1850[^1], and *nobody* knows why it
stands so far.

1. One
2. Two
   - inner item
     goes on
3. Three

Dear Madam\
4 Harbour Street

Table 1: Ships

| Name | Year |
| --- | --- |
| Anna \| Bertha | 1901<br>1902 | more |

$$
E = mc^2
$$

```python
# no heading
print(1)
```

![A ship](a.png)

Figure 2. The ship.

[^1]: See page 9.

<page_number>12</page_number>
"""


def brief(blocks):
    """The kind of each block, what is said of it, and its text."""
    return [(b.kind.value, *filter(None, (b.level, b.depth, b.marker)), b.text) for b in blocks]


def test_a_page_in_markdown():
    blocks = markdown_blocks(PAGE)
    assert brief(blocks) == [
        ("heading", 1, "The _old_ harbour"),
        (
            "paragraph",
            "It has a well-known pier and a lighthouse*, built in 18501, and nobody knows why it stands so far.",
        ),
        ("list_item", 1, "1.", "One"),
        ("list_item", 1, "2.", "Two"),
        ("list_item", 2, "-", "inner item goes on"),
        ("list_item", 1, "3.", "Three"),
        ("paragraph", "Dear Madam\n4 Harbour Street"),
        ("caption", "Table 1: Ships"),
        ("table", "Name\tYear\nAnna | Bertha\t1901 1902\tmore"),
        ("formula", "E = mc^2"),
        ("code", "# no heading\nprint(1)"),
        ("picture", "A ship"),
        ("caption", "Figure 2. The ship."),
        ("footnote", "1", "See page 9."),
        ("page_footer", "12"),
    ]
    cells = [(c.row, c.column, c.is_header, c.text) for c in next(b for b in blocks if b.cells).cells]
    assert cells == [
        (0, 0, True, "Name"),
        (0, 1, True, "Year"),
        (0, 2, False, ""),
        (1, 0, False, "Anna | Bertha"),
        (1, 1, False, "1901\n1902"),
        (1, 2, False, "more"),
    ]


def test_a_table_in_html_has_spans_and_heads():
    (caption, table) = markdown_blocks(
        "<table><caption>Ships</caption><thead><tr><td rowspan=2>Name</td><th colspan=2>Tons &amp; crew</th></tr>"
        "<tr><td>t</td><td>n</td></tr></thead>\n\n<tr><td>Anna</td><td colspan=9>&lt;b&gt; 5</td></tr></table>"
    )
    assert (caption.kind, caption.text) == (BlockKind.CAPTION, "Ships")
    assert [(c.row, c.column, c.row_span, c.column_span, c.is_header, c.text) for c in table.cells] == [
        (0, 0, 2, 1, True, "Name"),
        (0, 1, 1, 2, True, "Tons & crew"),
        (1, 1, 1, 1, True, "t"),
        (1, 2, 1, 1, True, "n"),
        (2, 0, 1, 1, False, "Anna"),
        (2, 1, 1, 2, False, "<b> 5"),
    ]


@pytest.mark.parametrize(
    "table", [r"\begin{tabular}{ll} a & \multicolumn{1}{c}{b} \\ c & d \end{tabular}", "a | b\n-|-\nc | d"]
)
def test_other_notations_of_tables(table):
    (block,) = [b for b in parse("markdown", f"before\n\n{table}\n\nafter").blocks if b.cells]
    assert [c.text for c in block.cells] == ["a", "b", "c", "d"]


def test_hostile_spans_need_no_memory():
    rows = "".join(f'<tr><td colspan="9999">{n}</td></tr>' for n in range(3000))
    (table,) = markdown_blocks(f"<table>{rows}</table>")
    assert [cell.column_span for cell in table.cells] == [1] * 3000
    (text,) = markdown_blocks("<table>" + '<tr><td rowspan="9999" colspan="9999">a</td></tr>' * 3000 + "</table>")
    assert (text.kind, text.text.count("a")) == (BlockKind.PARAGRAPH, 3000)
    wide = "<tr>" + "<td>a</td>" * 100 + "</tr>"
    (text,) = markdown_blocks(f"<table>{wide}{'<tr><td>b</td></tr>' * 5000}</table>")
    assert (text.kind, text.text.count("b")) == (BlockKind.PARAGRAPH, 5000)


def test_what_a_parser_drops_is_kept_as_text():
    deep = "> " * 200 + "word"
    assert [b.text for b in markdown_blocks(deep)] == [deep]


def test_plain_text():
    assert brief(text_blocks("# one\ntwo\n \n\nthree")) == [("paragraph", "# one\ntwo"), ("paragraph", "three")]


def test_kinds_and_boxes_of_dots():
    page = parse("dots", json.dumps([
        {"bbox": [1, 2, 30, 40], "category": "Page-header", "text": "**Report**"},
        {"bbox": [1, 50, 30, 60], "category": "Title", "text": "# Harbours"},
        {"bbox": [1, 70, 30, 80], "category": "List-item", "text": "a) one"},
        {"bbox": [1, 80, 30, 90], "category": "List-item", "text": "- two\n- three"},
        {"bbox": [1, 90, 30, 99], "category": "Picture"},
        {"bbox": [1, 100, 30, 110], "category": "Caption", "text": "A ship"},
        {"bbox": [1, 110, 30, 120], "category": "Formula", "text": "x^2"},
        {"bbox": [1, 120, 30, 130], "category": "Footnote", "text": "$^{1}$ See there"},
    ]))  # fmt: skip
    assert page.blocks is not None
    assert brief(page.blocks) == [
        ("page_header", "Report"),
        ("title", "Harbours"),
        ("list_item", 1, "a)", "one"),
        ("list_item", 1, "-", "two"),
        ("list_item", 1, "-", "three"),
        ("picture", ""),
        ("caption", "A ship"),
        ("formula", "x^2"),
        ("footnote", "1", "See there"),
    ]
    assert [b.lines for b in page.blocks] == [(0,), (1,), (2,), (3,), (), (), (4,), (5,), (6,)]
    assert all(b.box for b in page.blocks)


def test_lists_of_doctags_are_nested_and_numbered():
    item = "<list_item>{}</list_item>".format
    inner = f"<unordered_list>{item('b')}</unordered_list>"
    page = parse("doctags", f"<ordered_list>{item('a')}{inner}{item('c')}</ordered_list>{item('d')}<title>T</title>")
    assert page.blocks is not None
    assert brief(page.blocks) == [
        ("list_item", 1, "1.", "a"),
        ("list_item", 2, "-", "b"),
        ("list_item", 1, "2.", "c"),
        ("list_item", 1, "-", "d"),
        ("title", "T"),
    ]


def test_headings_of_deepseek_are_no_titles():
    page = parse("grounded", "<|det|>title [1, 2, 30, 40]<|/det|>One\n<|det|>sub_title [1, 50, 60, 90]<|/det|>Two")
    assert page.blocks is not None
    assert brief(page.blocks) == [("heading", 1, "One"), ("heading", 2, "Two")]


def test_blocks_of_lines_are_found_by_their_places_only_if_all_have_one():
    assert parse("spotting", "one(10,20),(30,40)").blocks is None
    page = parse("spotting", "one(10,20),(30,40) two")
    assert page.blocks is not None
    assert [(b.text, b.lines) for b in page.blocks] == [("one", (0,)), ("two", ())]


def test_blocks_of_a_stored_page():
    """Where a job asks for structure later, the page has its Markdown and its lines, but no blocks."""
    answer = "".join(
        f"<|det|>{kind} [1, {n}0, 30, {n}9]<|/det|>{text}\n"
        for n, (kind, text) in enumerate(
            [("title", "Head"), ("text", "- one\n- two"), ("text", "2 + 2"), ("image", "")]
        )
    )
    page = parse("grounded", answer)
    stored = PageText(page.lines, page.text, page.markdown)
    assert page.blocks is not None
    assert [(b.text, b.lines, b.box) for b in blocks_of_page(stored)] == [
        (b.text, b.lines, b.box) for b in page.blocks if b.text
    ]
    assert blocks_of_page(page) is page.blocks
    other = PageText([Line("unseen", page.lines[0].box)], "text", None)
    assert blocks_of_page(other) == (Block(BlockKind.PARAGRAPH, text="text"),)
