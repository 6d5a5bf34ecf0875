"""Blocks by rules: the paragraphs of the layout as blocks. Used where the layout models are missing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.geometry import Quad, bounds, union
from ocrqueue.hyphens import Words, join_lines
from ocrqueue.layout.paragraphs import Kind, Paragraph, paragraphs_of, row_size, row_text
from ocrqueue.layout.pieces import frame_of, piece_of
from ocrqueue.layout.reading_order import blocks_of
from ocrqueue.layout.splitter import Splitter
from ocrqueue.layout.tables import Table
from ocrqueue.pages import PageText

_POINTS = 72  # to the inch
_KINDS = {
    Kind.TEXT: BlockKind.PARAGRAPH,
    Kind.LINES: BlockKind.PARAGRAPH,
    Kind.HEADING: BlockKind.HEADING,
    Kind.ITEM: BlockKind.LIST_ITEM,
    Kind.TABLE: BlockKind.TABLE,
}


def blocks_by_rules(page: PageText, dpi: int | None = None) -> tuple[Block, ...]:
    """The blocks of a page, in reading order: headings, paragraphs, list items and simple tables.

    `dpi` is the resolution of the page image; without it the sizes of the blocks are unknown. A page without lines
    gives the paragraphs of its text. Raises nothing.
    """
    if not page.lines:
        return tuple(_plain(page.plain))
    # Words are left out: lines were split when they were arranged, and a stored page has no words.
    lines = [replace(line, words=()) for line in page.lines]
    indices = {id(line): index for index, line in enumerate(lines)}
    frame = frame_of(lines)
    paragraphs = paragraphs_of(blocks_of([piece_of(line, frame) for line in lines], Splitter(frame)))
    words = Words()
    words.add(row_text(row) for paragraph in paragraphs for row in paragraph.rows)
    return tuple(_block(paragraph, indices, dpi, words) for paragraph in paragraphs)


def _plain(text: str) -> Iterable[Block]:
    """Paragraphs that empty lines separate."""
    for is_empty, lines in groupby(text.split("\n"), key=lambda line: not line.strip()):
        if not is_empty:
            yield Block(BlockKind.PARAGRAPH, text="\n".join(line.strip() for line in lines))


def _block(paragraph: Paragraph, indices: dict[int, int], dpi: int | None, words: Words) -> Block:
    rows = [row_text(row) for row in paragraph.rows]
    joined = join_lines(rows, words)
    has_lines = paragraph.kind in (Kind.LINES, Kind.TABLE)
    is_item, is_heading = paragraph.kind is Kind.ITEM, paragraph.kind is Kind.HEADING
    size = sum(map(row_size, paragraph.rows)) / len(paragraph.rows)
    return Block(
        _KINDS[paragraph.kind],
        _around([piece.line.box for row in paragraph.rows for piece in row]),
        tuple(indices[id(piece.line)] for row in paragraph.rows for piece in row),
        "\n".join(rows) if has_lines else joined[len(paragraph.marker) * is_item :],
        level=min(paragraph.level, 6) if is_heading else None,
        depth=1 if is_item else None,
        marker=paragraph.marker.strip() if is_item else None,
        cells=_cells(paragraph.table or []),
        size=size * _POINTS / dpi if dpi else None,
    )


def _cells(table: Table) -> tuple[Cell, ...]:
    """The cells of a table. Its first row is the header."""
    return tuple(
        Cell(row, column, is_header=not row, text=text)
        for row, texts in enumerate(table)
        for column, text in enumerate(texts)
    )


def _around(boxes: Sequence[Quad]) -> Quad | None:
    """The upright rectangle around some boxes; None without corners."""
    known = [bounds(box) for box in boxes if box]
    if not known:
        return None
    left, top, right, bottom = union(known)
    return (left, top), (right, top), (right, bottom), (left, bottom)
