"""The blocks that the layout models find on whole pages."""

from dataclasses import replace

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.blocks import BlockKind
from ocrqueue.documents import open_document
from ocrqueue.limits import Limits
from ocrqueue.pages import Line, PageText
from ocrqueue.states import Origin
from ocrqueue.storage.results import PageFacts
from ocrqueue.structure import find_blocks
from tests.support.pagemaker import in_hebrew, leftwards
from tests.unit.structure.pages import PROSE, ROWS, Sketch, blocks_of, read, scanned

OFFER = (
    ("Pos.", "Description", "Pieces", "Price"),
    ("1", "Display case, oak and glass", "4", "412.00"),
    ("2", "Lock with two keys, fitted", "12", "38.50"),
    ("3", "Label holder of brass", "48", "2.10"),
    ("4", "Delivery to the east hall", "1", "240.00"),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A page with headings, paragraphs, a list, a table and a page number."""
    sketch = Sketch()
    sketch.heading("1 Purpose and scope")
    sketch.paragraph()
    sketch.bullets()
    sketch.heading("2 Results of the year")
    sketch.paragraph()
    sketch.table()
    sketch.paragraph()
    sketch.foot("17")
    return sketch.save(tmp_path_factory.mktemp("report") / "report.pdf")


def of_kind(blocks, kind):
    return [block for block in blocks if block.kind is kind]


def assert_complete(blocks, lines):
    """Each line is in exactly one block."""
    assert sorted(i for block in blocks for i in block.lines) == list(range(len(lines)))


def test_a_page_of_a_pdf(report):
    blocks, lines = blocks_of(report)
    assert_complete(blocks, lines)
    headings = of_kind(blocks, BlockKind.HEADING)
    assert [block.text for block in headings] == ["1 Purpose and scope", "2 Results of the year"]
    assert all(block.is_bold and 14 < block.size < 16 for block in headings)
    paragraphs = of_kind(blocks, BlockKind.PARAGRAPH)
    assert [block.text for block in paragraphs] == [" ".join(PROSE)] * 3
    assert all(not block.is_bold and 9 < block.size < 11 for block in paragraphs)
    assert [block.text for block in of_kind(blocks, BlockKind.PAGE_FOOTER)] == ["17"]


@pytest.mark.thorough
def test_words_that_were_divided_are_whole(tmp_path):
    sketch = Sketch()
    for line in (
        "The harbour has been mea\u00ad",
        "sured every month since the old",
        "quay was rebuilt in well-",
        "known style.",
    ):
        sketch.write(line)
    sketch.paragraph()
    sketch.write("It is a well-known quay, and its walls are higher than those of all other quays.")
    blocks, _ = blocks_of(sketch.save(tmp_path / "words.pdf"))
    text = " ".join(block.text for block in blocks)
    assert "been measured every month" in text
    assert "in well-known style" in text


def test_a_text_that_a_model_wrote_has_its_own_blocks():
    box = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    facts = PageFacts(engine="mlx-vlm")
    page = PageText([Line("Head", box), Line("one\n\ntwo", box)], "Head\n\none\n\ntwo", "# Head\n\none\n\n- two")
    blocks = find_blocks(None, 1, page, facts)
    assert [(b.kind, b.text, b.lines, b.box) for b in blocks] == [
        (BlockKind.HEADING, "Head", (0,), box),
        (BlockKind.PARAGRAPH, "one", (1,), box),
        (BlockKind.LIST_ITEM, "two", (), box),
    ]
    (block,) = find_blocks(None, 1, PageText(text="no lines"), PageFacts(engine="other"))
    assert block.text == "no lines"
    assert find_blocks(None, 1, PageText(), facts) == ()


def test_a_ruled_table(report):
    blocks, _ = blocks_of(report)
    (table,) = of_kind(blocks, BlockKind.TABLE)
    assert [cell.text for cell in table.cells] == [cell for row in ROWS for cell in row]
    assert [(cell.row, cell.column) for cell in table.cells] == [(i, j) for i in range(4) for j in range(3)]
    assert [cell.is_header for cell in table.cells] == [True] * 3 + [False] * 9
    assert all(cell.box is not None for cell in table.cells)


def test_a_page_that_was_read_by_ocr_needs_no_document(report):
    image, page, facts = scanned(report)
    blocks = find_blocks(None, 1, page, facts, image)
    assert_complete(blocks, page.lines)
    assert [block.text for block in of_kind(blocks, BlockKind.HEADING)] == [
        "1 Purpose and scope",
        "2 Results of the year",
    ]
    (table,) = of_kind(blocks, BlockKind.TABLE)
    assert [cell.text for cell in table.cells] == [cell for row in ROWS for cell in row]
    assert all(block.is_bold is None for block in blocks)
    assert find_blocks(None, 1, page, facts, image) == blocks  # nothing of the first page is left


@pytest.mark.thorough
def test_columns_of_a_table_that_was_read_may_touch_when_boxes_have_paper_around_the_ink(report):
    document, _, facts = read(report)
    document.close()
    image, font = Image.new("RGB", (facts.width, facts.height), "white"), ImageFont.load_default(28)
    lines = []

    def put(x, y, text):
        ImageDraw.Draw(image).text((x, y), text, fill="black", font=font)
        left, _, right, _ = ImageDraw.Draw(image).textbbox((x, y), text, font=font)
        left, top, right, bottom = left - 14, y - 6, right + 14, y + 40
        lines.append(Line(text, ((left, top), (right, top), (right, bottom), (left, bottom)), 0.9, Origin.OCR))

    for i, text in enumerate(PROSE):
        put(200, 200 + 44 * i, text)
        put(200, 672 + 44 * i, text)
    for i, row in enumerate(OFFER):
        for x, text in zip((200, 270, 660, 800), row, strict=True):
            put(x, 392 + 44 * i, text)
    (table,) = of_kind(find_blocks(None, 1, PageText(lines), facts, image), BlockKind.TABLE)
    assert [cell.text for cell in table.cells] == [cell for row in OFFER for cell in row]


@pytest.mark.thorough
def test_a_scan_whose_text_runs_to_the_left(report):
    """The same page in a mirror, in Hebrew letters: the first column of its table is at the right."""
    image, page, facts = scanned(report)
    expected = find_blocks(None, 1, page, facts, image)
    mirrored = PageText(leftwards(page.lines, image.width))
    blocks = find_blocks(None, 1, mirrored, facts, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert_complete(blocks, page.lines)
    for kind in (BlockKind.HEADING, BlockKind.PAGE_FOOTER):
        assert [block.lines for block in of_kind(blocks, kind)] == [block.lines for block in of_kind(expected, kind)]
    (table,), (seen,) = of_kind(expected, BlockKind.TABLE), of_kind(blocks, BlockKind.TABLE)
    assert [(cell.row, cell.column, cell.text) for cell in seen.cells] == [
        (cell.row, cell.column, in_hebrew(cell.text)) for cell in table.cells
    ]
    assert seen.cells[0].box[0][0] > seen.cells[1].box[0][0]


@pytest.mark.thorough
def test_a_table_of_a_pdf_whose_text_runs_to_the_left_begins_at_the_right(tmp_path):
    """A page in Latin letters, of which lines in Hebrew say that it runs to the left."""
    sketch = Sketch()
    sketch.paragraph()
    sketch.table()
    document, page, facts = read(sketch.save(tmp_path / "page.pdf"))
    lines = [replace(line, text=in_hebrew(line.text)) for line in page.lines]
    with document:
        blocks = find_blocks(document, 1, PageText(lines), facts)
    (table,) = of_kind(blocks, BlockKind.TABLE)
    first = [cell.text for cell in table.cells if cell.row == 0]
    assert first == list(ROWS[0][::-1])
    assert table.cells[0].box[0][0] > table.cells[1].box[0][0]


@pytest.mark.thorough
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_page_has_the_same_blocks(report, tmp_path, rotation):
    expected, _ = blocks_of(report)
    with open_document(report, Limits()) as document:
        document.pdf[0].set_rotation(rotation)
        document.pdf.save(tmp_path / "turned.pdf")
    blocks, lines = blocks_of(tmp_path / "turned.pdf")
    assert_complete(blocks, lines)
    assert [(block.kind, block.text) for block in blocks] == [(block.kind, block.text) for block in expected]


def test_the_document_does_not_change(report):
    document, page, facts = read(report)
    with document:
        document.pdf[0].set_rotation(90)
        find_blocks(document, 1, page, facts)
        assert document.pdf[0].rotation == 90
        assert document.pdf.page_count == 1


@pytest.mark.thorough
def test_a_stored_page_has_the_same_blocks(report):
    """Results have lines without words; the words are then taken from the document."""
    document, page, facts = read(report)
    stored = PageText([Line(line.text, line.box, None, line.origin) for line in page.lines])
    with document:
        found, later = find_blocks(document, 1, page, facts), find_blocks(document, 1, stored, facts)
    assert later == found


def test_a_page_without_lines_has_no_blocks():
    assert find_blocks(None, 1, PageText([]), PageFacts(width=100, height=100, dpi=72)) == ()


def test_a_page_that_the_models_cannot_see_has_none():
    page = PageText([Line("text", ((0, 0), (40, 0), (40, 10), (0, 10)))])
    assert find_blocks(None, 1, page, PageFacts(width=100, height=100, dpi=72)) is None


def test_text_that_is_written_downwards_has_none(report):
    image, _, facts = scanned(report)
    page = PageText(
        [Line("縦書きの文章です", ((x, 10), (x + 20, 10), (x + 20, 400), (x, 400))) for x in (500, 460, 420)]
    )
    assert find_blocks(None, 1, page, facts, image) is None
