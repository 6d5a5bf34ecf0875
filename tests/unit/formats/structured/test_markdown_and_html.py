"""Markdown and HTML of blocks."""

import io
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.errors import PageError
from ocrqueue.formats import write
from ocrqueue.formats.structured.markdown import page_markdown
from ocrqueue.pages import PageText
from ocrqueue.storage.results import PageFacts, failed_page, page_result, result_header
from tests.support.pagemaker import column, line

TITLE, HEADING, PARAGRAPH = BlockKind.TITLE, BlockKind.HEADING, BlockKind.PARAGRAPH
ITEM, TABLE, CAPTION, NOTE = BlockKind.LIST_ITEM, BlockKind.TABLE, BlockKind.CAPTION, BlockKind.FOOTNOTE


def result(*pages, **options):
    """The header of a result, and its pages: each a list of blocks, or a page of a result."""
    made = [
        page if isinstance(page, dict) else page_result(number, PageText(text="", blocks=tuple(page)), PageFacts())
        for number, page in enumerate(pages, 1)
    ]
    counts = {"ok": len(pages), "failed": 0, "cancelled": 0}
    return result_header(
        job="j", state="done", source={"name": "a.pdf"}, options=options, counts=counts, seconds=1, structure=True
    ), made


def made(format, *pages, **options):
    header, made = result(*pages, **options)
    stream = io.StringIO()
    write(format, iter(made), header, stream)
    return stream.getvalue()


def markdown(*pages, **options):
    return made("markdown", *pages, **options).removeprefix("<!-- page 1 -->\n\n").removesuffix("\n")


def html(*pages, **options):
    text = made("html", *pages, **options)
    Checked().feed(text)
    _, _, body = text.partition("<main>\n")
    return body.partition("</main>")[0].replace('<div id="page-1" role="doc-pagebreak" aria-label="1"></div>\n', "")


class Checked(HTMLParser):
    """Checks that each element is closed in order, and that ids are unique."""

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], set()

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "img", "iframe")
        assert not [name for name, _ in attrs if name.startswith("on")]
        if found := dict(attrs).get("id"):
            assert found not in self.ids
            self.ids.add(found)
        assert not (dict(attrs).get("href") or "#").startswith("javascript")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def cells(*rows, header=0):
    return tuple(
        Cell(r, c, is_header=r < header, text=text) for r, row in enumerate(rows) for c, text in enumerate(row)
    )


def item(text, marker="•", depth=1, **more):
    return Block(ITEM, text=text, marker=marker, depth=depth, **more)


def test_headings_are_below_the_title_and_open_sections():
    blocks = [
        Block(TITLE, text="All"),
        Block(HEADING, text="1 One #", level=1),
        Block(HEADING, text="1.1 Sub", level=2),
    ]
    blocks += [Block(PARAGRAPH, text="Text."), Block(HEADING, text="2 Two", level=1)]
    assert markdown(blocks) == "# All\n\n## 1 One \\#\n\n### 1.1 Sub\n\nText.\n\n## 2 Two"
    assert html(blocks).split() == (
        "<h1>All</h1> <section> <h2>1 One #</h2> <section> <h3>1.1 Sub</h3> <p>Text.</p> </section> </section> "
        "<section> <h2>2 Two</h2> </section>"
    ).split()  # fmt: skip
    assert markdown(blocks[1:3]).startswith("# 1 One")


def test_lists_are_nested_and_keep_their_numbers():
    blocks = [item("one", "3."), item("deep", "–", 2), item("two", "4."), item("b", "b)"), item("next", "§ 5")]
    assert markdown(blocks) == "3. one\n   - deep\n4. two\n\n- b) b\n- § 5 next"
    assert html(blocks).replace("\n", "") == (
        '<ol><li value="3">one<ul><li>deep</li></ul></li><li>two</li></ol><ol type="a"><li value="2">b</li></ol>'
        "<ul><li>§ 5 next</li></ul>"
    )


@pytest.mark.parametrize(
    ("markers", "shown"),
    [
        (["(1)", "(2)"], "<ol><li>x</li><li>x</li></ol>"),
        (["i)", "ii)"], '<ol type="i"><li>x</li><li>x</li></ol>'),
        (["h)", "i)"], '<ol type="a"><li value="8">x</li><li>x</li></ol>'),
        (["B.", "C."], '<ol type="A"><li value="2">x</li><li>x</li></ol>'),
        (["–", "•"], "<ul><li>x</li><li>x</li></ul>"),
    ],
)  # fmt: skip
def test_markers_of_lists_in_html(markers, shown):
    assert html([item("x", marker) for marker in markers]).replace("\n", "") == shown


def test_a_list_goes_on_over_the_page():
    pages = [item("one", "1."), item("two", "2.")], [item("deep", "a)", 2), item("three", "3.")]
    assert markdown(*pages) == "1. one\n2. two <!-- page 2 -->\n   - a) deep\n3. three"
    assert html(*pages).count("<ol>") == 1


def test_a_plain_table_has_pipes():
    table = Block(TABLE, cells=cells(["a", "b|c"], ["1\n2", ""], ["Ent-\nwurf", "x"], header=1))
    assert markdown([table]) == "| a | b\\|c |\n| --- | --- |\n| 1<br>2 |  |\n| Entwurf | x |"
    assert markdown([Block(TABLE, cells=cells(["a", "b"]))]) == "|  |  |\n| --- | --- |\n| a | b |"


def test_a_table_with_spans_or_two_header_rows_is_html():
    spanning = (Cell(0, 0, 2, 1, True, "Place"), Cell(0, 1, 1, 2, True, "2025"), Cell(1, 1, is_header=True, text="<b>"),
                Cell(1, 2, is_header=True, text="May\nJune"),
                Cell(2, 0, is_header=True, text="Mole"), Cell(2, 1, 1, 2, text="7"))  # fmt: skip
    shown = (
        '<table>\n<thead>\n<tr><th scope="col" rowspan="2">Place</th><th scope="col" colspan="2">2025</th></tr>\n'
        '<tr><th scope="col">&lt;b&gt;</th><th scope="col">May<br>June</th></tr>\n</thead>\n<tbody>\n'
        '<tr><th scope="row">Mole</th><td colspan="2">7</td></tr>\n</tbody>\n</table>'
    )
    blocks = [Block(PARAGRAPH, text="Above."), Block(TABLE, cells=spanning), Block(PARAGRAPH, text="Below.")]
    assert markdown(blocks) == f"Above.\n\n{shown}\n\nBelow."
    assert shown in html(blocks)
    two = Block(TABLE, cells=cells(["a"], ["b"], ["c"], header=2))
    assert markdown([two]).count("<th ") == 2


def test_cells_that_do_not_make_a_grid_lose_nothing():
    odd = (Cell(0, 0, 5, 5, text="a"), Cell(0, 0, text="b"), Cell(3, 7, text="c"), Cell(3, 0, text="d"))
    shown = markdown([Block(TABLE, cells=odd)])
    assert [shown.count(f">{text}<") for text in "abcd"] == [1, 1, 1, 1]


def test_a_table_without_cells_keeps_its_lines():
    assert markdown([Block(TABLE, text="a  1\n| - | - |")]) == "a 1  \n\\| - | - |"


def test_a_table_that_goes_on_over_the_page_is_one():
    first, second = cells(["a", "b"], ["1", "2"], header=1), cells(["3", "4"])
    pages = [Block(TABLE, cells=first), Block(BlockKind.PAGE_FOOTER, text="1")], [
        Block(BlockKind.PAGE_HEADER, text="Head"), Block(TABLE, cells=second, continues=True),
        Block(PARAGRAPH, text="End."),
    ]  # fmt: skip
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"
    assert markdown(*pages) == f"{table}\n\n<!-- page 2 -->\n\nEnd."
    kept = markdown(*pages, keep_running_heads=True)
    assert kept == f"{table}\n\n1\n\n<!-- page 2 -->\n\nHead\n\nEnd."
    assert html(*pages).count("<table>") == 1
    assert "Head" not in html(*pages)
    assert "<footer>1</footer>" in html(*pages, keep_running_heads=True)


def test_a_paragraph_that_goes_on_over_a_page_and_its_notes_is_one():
    pages = (
        [Block(PARAGRAPH, text="It was a re-"), Block(NOTE, text="Note.", marker="1")],
        [Block(PARAGRAPH, text="markable day.", continues=True)],
    )
    assert markdown(*pages) == "It was a remarkable day.\n\n1 Note.\n\n<!-- page 2 -->"


def test_a_mark_refers_to_its_note():
    blocks = [
        Block(PARAGRAPH, text="In 2011 the morning1 came.2 CO2 is*"),
        Block(NOTE, text="- The first.", marker="1"),
    ]
    blocks += [Block(NOTE, text="The second.", marker="2)"), Block(NOTE, text="The third.", marker="*")]
    shown = markdown(blocks, [Block(PARAGRAPH, text="Again1 here."), Block(NOTE, text="One other.", marker="1")])
    assert shown.startswith(
        "In 2011 the morning[^1] came.[^2] CO2 is[^1-1]\n\n[^1]: \\- The first.\n\n"
        "[^2]: The second.\n\n[^1-1]: The third."
    )
    assert shown.endswith("Again[^2-1] here.\n\n[^2-1]: One other.")
    page = html(blocks)
    assert 'morning<sup><a id="ref-1" href="#note-1" role="doc-noteref">1</a></sup> came' in page
    assert (
        '<aside id="note-1" role="doc-footnote"><sup><a href="#ref-1" role="doc-backlink">1</a></sup> - The first.'
        in page
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a “default”7, but", "a “default”[^7], but"),
        ("(see 6) of institutions (7), must", "(see 6) of institutions [^7], must"),
        ("the (7) or the word7 itself", "the (7) or the word[^7] itself"),
        ("Raised⁷ numbers", "Raised[^7] numbers"),
        ("In brackets [7].", "In brackets [^7]."),
    ],
)
def test_marks_are_found_in_several_forms(text, shown):
    assert markdown([Block(PARAGRAPH, text=text), Block(NOTE, text="A note.", marker="(7)")]).startswith(shown)


@pytest.mark.parametrize(
    ("text", "marker"), [("Room 12 and Table 1.", "1"), ("a1 and m2 v1.2", "2"), ("a cat", "a"), ("a * b", "*")]
)
def test_what_only_looks_like_a_mark_is_none(text, marker):
    assert "[^" not in markdown([Block(PARAGRAPH, text=text), Block(NOTE, text="A note.", marker=marker)])


def test_raised_marks_refer_to_notes_with_raised_marks():
    blocks = [Block(PARAGRAPH, text="Some 40 km² of it.²"), Block(NOTE, text="A note.", marker="(²)")]
    assert markdown(blocks) == "Some 40 km² of it.[^2]\n\n[^2]: A note."


def test_ticks_of_list_items_stay():
    assert markdown([item("Keys", "✔"), item("Windows", "➢")]) == "- ✔ Keys\n- Windows"


def test_captions_stay_with_their_table_or_picture():
    table = Block(TABLE, cells=cells(["a"], ["b"], header=1))
    picture, text = Block(BlockKind.PICTURE, text="labels\nin it"), Block(PARAGRAPH, text="x")
    shown = html([Block(CAPTION, text="Table 1"), table, picture, Block(CAPTION, text="Fig. 1"), table, text])
    figures = re.findall(r"<figure>.*?</figure>", shown.replace("\n", ""))
    assert [re.sub(r"<[^>]*>", " ", figure).split() for figure in figures] == [
        ["Table", "1", "a", "b"], ["labels", "in", "it", "Fig.", "1"]
    ]  # fmt: skip
    assert shown.index("</figure>", shown.index("Fig. 1")) < shown.rindex("<table>")


def test_code_and_formulas():
    code, formula = Block(BlockKind.CODE, text="a ``` <b>\n  c"), Block(BlockKind.FORMULA, text=r"\frac{a}{b}")
    assert markdown([code, formula]) == "````\na ``` <b>\n  c\n````\n\n```math\n\\frac{a}{b}\n```"
    assert "<pre><code>a ``` &lt;b&gt;\n  c</code></pre>" in html([code])
    assert markdown([Block(BlockKind.FORMULA, text="a = b*c")]) == "a = b\\*c"


def test_pages_that_were_not_read_are_named():
    pages = (
        [Block(PARAGRAPH, text="one")],
        failed_page(2, PageError("timeout", "--> over")),
        [Block(PARAGRAPH, text="3")],
    )
    assert markdown(*pages) == "one\n\n<!-- page 2: timeout -->\n\n<!-- page 3 -->\n\n3"
    assert ">Page 2 was not read: timeout</div>" in html(*pages)
    assert markdown(*reversed(pages[:2])) == "<!-- page 2: timeout -->\n\n<!-- page 2 -->\n\none"


def test_without_blocks_html_is_made_by_rules():
    lines = [line("The Title", 100, 100, size=40), *column("text", 100, 300, 6), line("• an item", 100, 700)]
    shown = html(
        page_result(1, PageText(lines), PageFacts(dpi=150)), page_result(2, PageText(text="a <b>\n\nc"), PageFacts())
    )
    assert "<h1>The Title</h1>" in shown
    assert "<ul>\n<li>an item" in shown
    assert "<p>a &lt;b&gt;</p>\n<p>c</p>" in shown


def test_right_to_left_text_says_so():
    assert '<p dir="rtl">שלום</p>' in html([Block(PARAGRAPH, text="שלום")])


def test_the_markdown_of_one_page():
    _, (page,) = result([Block(HEADING, text="1 One", level=1), Block(BlockKind.PAGE_FOOTER, text="7")])
    assert page_markdown(page, keep_running_heads=False, has_title=True) == "## 1 One"
    assert page_markdown(page, keep_running_heads=True, has_title=False) == "# 1 One\n\n7"


HOSTILE = [
    "<script>alert(1)</script>", "</title><img src=x onerror=alert(1)>", '" onload="alert(1)',
    "[a](javascript:alert(1))",
    '![a](x "t")', "<!-- x", "--> <b>", "</table><script>", "]]><x>", "`<i>`", "&lt;script&gt;",
    "<a\nhref='x'>", "\n\n<b>\n\n",
    "\x02<b>\x03<i>\x04", "[^1]: <b>", "1. <b>", "    <b>", "| a |\n| --- |\n| <b> |", "<java\x00script>",
    "\\<b>", "\\\\<b>", "$$<b>$$",
    "word1(javascript:alert(1))", "[1]: javascript:alert(1)", "javascript:alert(1)",
    'javascript:alert(1) "x"', "<javascript:alert(1)>",
]  # fmt: skip
HTML_OF_OURS = re.compile(r"</?(table|thead|tbody|tr|th|td)\b[^<>]*>|<br>|<!-- page \d+(: [\w.-]+)? -->")


def acting(tokens):
    """What a Markdown parser takes for a link, an image, or HTML that is none of ours."""
    for token in tokens:
        if token.type in ("html_block", "html_inline"):
            yield from re.findall(r"<.*", HTML_OF_OURS.sub("", token.content))
        elif token.type in ("link_open", "image"):
            yield token.type
        yield from acting(token.children or ())


@pytest.mark.parametrize("payload", HOSTILE)
def test_text_of_a_document_never_acts_as_markup(payload):
    """Every field of a block, alone and together with others, with payloads of injections."""
    table = [Cell(0, 0, 1, 2, True, payload), Cell(1, 0, text=payload), Cell(1, 1, text=payload)]
    blocks = [Block(kind, text=payload, marker=payload, level=1, depth=2) for kind in BlockKind]
    blocks += [
        Block(NOTE, text=payload, marker="1"),
        Block(NOTE, text=f"{payload} and more", marker="1"),
        Block(PARAGRAPH, text=f"{payload}word1"),
    ]
    blocks += [Block(TABLE, cells=tuple(table)), Block(TABLE, cells=cells([payload, payload]))]
    pages = blocks, blocks, failed_page(3, PageError(payload, payload))
    header, rows = result(*pages, lang=payload, keep_running_heads=True)
    header["source"]["name"] = payload
    for format in ("html", "markdown"):
        stream = io.StringIO()
        write(format, iter(rows), header, stream)
        shown = stream.getvalue()
        if format == "html":
            Checked().feed(shown)
            assert not re.search(r"<(script|img|i|b|x|a\n)\b|javascript:[^<]*\">", shown)
        else:
            parser = MarkdownIt("commonmark", {"html": True}).enable("table")
            parser.validateLink = lambda _: True
            assert list(acting(parser.parse(shown))) == []


def words(text):
    return sorted(re.findall(r"w\d+x", text))


def test_no_writer_loses_text():
    """Each text is a word of its own and must be in the output, in every order of kinds, over pages and alone."""
    count = 0

    def word():
        nonlocal count
        count += 1
        return f"w{count}x"

    pages = []
    kinds = list(BlockKind)
    for shift in range(len(kinds)):
        blocks = []
        for index, kind in enumerate(kinds[shift:] + kinds[:shift]):
            table = tuple(Cell(r, c, text=word()) for r in range(2) for c in range(2)) if kind == TABLE else ()
            text = "" if table else f"{word()} {word()}\n{word()}"
            blocks.append(Block(kind, text=text, level=1 + index % 6, depth=1 + index % 4, marker="1", cells=table,
                                continues=not (index + shift) % 3))  # fmt: skip
        pages.append(blocks)
    wanted = sorted(f"w{n + 1}x" for n in range(count))
    for format in ("markdown", "html"):
        assert words(made(format, *pages, keep_running_heads=True)) == wanted
        assert [w for page in pages for w in words(made(format, page, keep_running_heads=True))] != []


def test_pages_are_written_before_the_next_one_is_read():
    written, seen = [], []

    class Sink(io.StringIO):
        def write(self, text):
            written.append(text)
            return len(text)

    header, (page,) = result([Block(PARAGRAPH, text="x" * 1000)])

    def pages():
        for number in range(1, 6):
            seen.append(len("".join(written)))
            yield {**page, "page": number}

    for format in ("markdown", "html"):
        seen.clear()
        write(format, pages(), header, Sink())
        assert all(b - a > 1000 for a, b in pairwise(seen[1:]))
