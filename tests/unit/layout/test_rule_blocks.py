"""Blocks by rules: the paragraphs of the layout as blocks."""

from ocrqueue.blocks import BlockKind
from ocrqueue.layout import arrange, blocks_by_rules
from ocrqueue.pages import PageText
from tests.support.pagemaker import column, line


def test_each_line_is_in_one_block_and_kinds_are_those_of_the_layout() -> None:
    table = [
        line(text, left, 700 + 40 * row, 15 * len(text))
        for row in range(3)
        for left, text in ((100, "name"), (600, "12"))
    ]
    lines = [line("A Title", 100, 100, size=40), *column("text", 100, 300, 6), line("• an item", 100, 600), *table]
    page = arrange(PageText(lines))
    blocks = blocks_by_rules(page, 144)
    assert [block.kind for block in blocks] == [
        BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE
    ]  # fmt: skip
    assert sorted(index for block in blocks for index in block.lines) == list(range(len(page.lines)))
    heading, text, item, table = blocks
    assert (heading.text, heading.level, heading.size) == ("A Title", 1, 20)
    assert heading.box is not None
    assert heading.box[0] == (100, 100)
    assert (item.marker, item.depth, item.text) == ("•", 1, "an item")
    assert text.text.startswith("text 0")
    assert "\n" not in text.text
    assert [(cell.row, cell.column, cell.is_header, cell.text) for cell in table.cells[:3]] == [
        (0, 0, True, "name"), (0, 1, True, "12"), (1, 0, False, "name")
    ]  # fmt: skip


def test_a_page_without_lines_gives_the_paragraphs_of_its_text() -> None:
    blocks = blocks_by_rules(PageText(text="one\ntwo\n\n\nthree\n"))
    assert [(block.kind, block.text) for block in blocks] == [
        (BlockKind.PARAGRAPH, "one\ntwo"), (BlockKind.PARAGRAPH, "three")
    ]  # fmt: skip
    assert blocks_by_rules(PageText()) == ()
