"""Program text, line numbers and turned text, for which the layout models have no kind."""

import pytest

from ocrqueue.blocks import BlockKind
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Piece, Text
from ocrqueue.structure.unseen.code import code_text, with_code
from ocrqueue.structure.unseen.line_numbers import line_numbers
from tests.unit.structure.pages import PROSE, Sketch, blocks_of

PROGRAM = [
    "def area(shape):",
    '    if shape == "round":',
    "        return 3 * 4",
    "",
    "for name in names:",
    "    print(name)",
]


def text(index, content, left=50.0, top=0.0, is_mono=False, width=6.0):
    """A line of type of 10 points with its words, each character as wide as `width`."""
    words, end = [], 0
    for word in content.split():
        start = content.index(word, end)
        end = start + len(word)
        words.append(Piece(word, (left + start * width, top, left + end * width, top + 10)))
    box = (words[0].box[0], top, words[-1].box[2], top + 10)
    return Text(index, " ".join(content.split()), box, tuple(words), 10.0, False, False, is_mono)


def listing(lines, first=0):
    shown = [(i, line) for i, line in enumerate(lines) if line]
    return [text(first + n, line, top=14.0 * i, is_mono=True) for n, (i, line) in enumerate(shown)]


def paragraph(texts, kind=BlockKind.PARAGRAPH):
    return Part(kind, texts, (0, 0, 400, 400))


# -- program text ----------------------------------------------------------------------------------------------------
def test_program_text_keeps_its_lines_indents_and_empty_lines():
    assert code_text(listing(PROGRAM)) == "\n".join(PROGRAM)


def test_program_text_keeps_its_columns():
    lines = ["x    = 1   # one", "long = 22  # two"]
    assert code_text(listing(lines)) == "\n".join(lines)


def test_lines_in_a_monospaced_font_are_program_text_whatever_the_models_see():
    prose = [text(i, line, top=-100 + 12 * i) for i, line in enumerate(PROSE)]
    lines = listing(PROGRAM, first=3)
    parts = with_code([paragraph([*prose, *lines[:2]]), paragraph(lines[2:], BlockKind.LIST_ITEM)])
    assert [(part.kind, len(part.texts)) for part in parts] == [(BlockKind.PARAGRAPH, 3), (BlockKind.CODE, 5)]


@pytest.mark.parametrize(
    "lines",
    [
        ["Dear Sir,", "the boat that we have sold you", "will be at the old quay on Monday."],  # a typewriter
        [PROGRAM[0]],  # one line
    ],
)
def test_what_only_has_the_font_of_programs_is_none(lines):
    parts = [paragraph(listing(lines))]
    assert with_code(parts) == parts


def test_cells_side_by_side_are_no_program_text():
    cells = [
        text(2 * i + j, f"cell {i} {j}", left=50 + 150 * j, top=14.0 * i, is_mono=True)
        for i in range(3)
        for j in (0, 1)
    ]
    parts = [paragraph([text(9, " ".join(PROSE), top=100)]), paragraph(cells)]
    assert with_code(parts) == parts


# -- line numbers ----------------------------------------------------------------------------------------------------
def numbered(numbers, shown, step=24.0):
    """Lines with numbers at their left."""
    texts = [
        text(2 * i, str(number), left=50 - 6.0 * len(str(number)), top=step * i) for i, number in enumerate(numbers)
    ]
    return texts + [text(2 * i + 1, line, left=80, top=step * i) for i, line in enumerate(shown)]


@pytest.mark.parametrize("numbers", [range(1, 9), range(5, 45, 5)])
def test_numbers_in_the_margin_are_line_numbers(numbers):
    texts = numbered(numbers, ["The club met on Tuesday evening in the hall"] * 7)
    assert [int(found.text) for found in line_numbers(texts)] == list(numbers)


@pytest.mark.parametrize("numbers", [[1, 2, 3], [3, 17, 4, 90, 91, 95], [1, 2, 2, 3, 4, 5]])
def test_other_numbers_are_none(numbers):
    assert line_numbers(numbered(numbers, ["The club met on Tuesday"] * len(numbers))) == []


def test_the_numbers_of_the_rows_of_a_table_are_none():
    prices = [text(50 + i, "41.20", left=300, top=24.0 * i) for i in range(8)]
    assert line_numbers(numbered(range(1, 9), ["Display case"] * 8) + prices) == []


def test_lines_with_numbers_are_paragraphs_without_them(tmp_path):
    sketch = Sketch()
    for number in range(1, 13):
        sketch.page.insert_text((50, sketch.y + 22), str(number), fontsize=10)
        sketch.write(PROSE[(number - 1) % 3], gap=12)
    blocks, lines = blocks_of(sketch.save(tmp_path / "court.pdf"))
    (numbers,) = [block for block in blocks if block.kind is BlockKind.PAGE_HEADER]
    assert numbers.text == " ".join(map(str, range(1, 13)))
    assert {block.kind for block in blocks if block is not numbers} == {BlockKind.PARAGRAPH}
    assert " ".join(block.text for block in blocks if block is not numbers) == " ".join(PROSE * 4)
    assert sorted(index for block in blocks for index in block.lines) == list(range(len(lines)))


# -- whole pages -----------------------------------------------------------------------------------------------------
def test_a_page_with_a_listing_and_turned_text(tmp_path):
    sketch = Sketch()
    sketch.paragraph()
    for line in PROGRAM:
        sketch.write(line, font="cour")
    sketch.paragraph()
    for index, answer in enumerate(["Answers to the quiz", "The first is right.", "The second is wrong."]):
        sketch.page.insert_text((400, 700 - 14 * index), answer, fontsize=10, rotate=180)
    sketch.page.insert_text(
        (200, 500), "COPY", fontsize=30, color=(0.8,) * 3, morph=(pymupdf.Point(200, 500), pymupdf.Matrix(30))
    )
    blocks, lines = blocks_of(sketch.save(tmp_path / "listing.pdf"))
    (code,) = [block for block in blocks if block.kind is BlockKind.CODE]
    assert code.text == "\n".join(PROGRAM)
    assert [block.text for block in blocks[-4:]] == [
        "Answers to the quiz", "The first is right.", "The second is wrong.", "COPY"
    ]  # fmt: skip
    assert sorted(index for block in blocks for index in block.lines) == list(range(len(lines)))
