"""The blocks of Markdown and of plain text, of which no character is lost."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.engines.mlx.markup.blocks.grid import grid_of
from ocrqueue.engines.mlx.markup.blocks.prose import bare_text, listed, prose_blocks
from ocrqueue.engines.mlx.markup.blocks.segments import Code, Formula, segments_of
from ocrqueue.engines.mlx.markup.formulas import bare
from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.markup.tables.table import Rows, as_text

_CAPTION = re.compile(
    r"(?=.{1,400}\Z)[^\W\d_]{1,12}\.?\s*\d{1,3}(?:\.\d{1,3})*(?:[.:–—-]|\Z)", re.DOTALL
)  # "Table 2: ..."
_SHOWN = (BlockKind.TABLE, BlockKind.PICTURE)
_SAME_KIND = {  # what an element that a model calls so consists of, in Markdown
    BlockKind.TITLE: (BlockKind.HEADING, BlockKind.PARAGRAPH),
    BlockKind.HEADING: (BlockKind.PARAGRAPH,),
    BlockKind.LIST_ITEM: (BlockKind.PARAGRAPH,),
}
_WHOLE = (  # are one block, although their Markdown may look like several
    BlockKind.CAPTION, BlockKind.FOOTNOTE, BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER, BlockKind.PICTURE,
    BlockKind.FORMULA, BlockKind.CODE,
)  # fmt: skip


def markdown_blocks(content: str) -> tuple[Block, ...]:
    """The blocks of Markdown. If a parser dropped anything, they are the paragraphs of its plain text instead."""
    blocks = tuple(_captioned([block for segment in segments_of(content) for block in _of_segment(segment)]))
    blocks = tuple(block for block in blocks if block.text)
    text = plain(content)
    return blocks if not _characters(text) - _characters(*map(_shown, blocks)) else text_blocks(text)


def text_blocks(content: str) -> tuple[Block, ...]:
    """The blocks of plain text: paragraphs are separated by empty lines. Their lines are not joined."""
    parts = ("\n".join(filter(None, map(str.strip, part.split("\n")))) for part in re.split(r"\n[^\S\n]*\n", content))
    return tuple(Block(BlockKind.PARAGRAPH, text=part) for part in parts if part)


def of_kind(blocks: Sequence[Block], kind: BlockKind | None) -> tuple[Block, ...]:
    """The blocks of an element that a model names to be of a kind; None: of no special one. Tables stay tables."""
    if kind in _WHOLE:
        tables = [block for block in blocks if block.cells]
        text = "\n".join(filter(None, (_text(block) for block in blocks if not block.cells)))
        if kind is BlockKind.FORMULA:
            text = bare(text)
        return (*([Block(kind, text=text, marker=_marker(blocks, kind))] if text else ()), *tables)
    found = list(blocks)
    if kind in _SAME_KIND and found and found[0].kind in _SAME_KIND[kind]:
        level = found[0].level or 2 if kind is BlockKind.HEADING else None
        found[0] = replace(found[0], kind=kind, level=level)
        if kind is BlockKind.LIST_ITEM:
            found[0] = listed(found[0])
    return tuple(found)


def _text(block: Block) -> str:
    """The text of a block that becomes a part of another."""
    is_note = block.kind is BlockKind.FOOTNOTE
    return block.text if is_note or not block.marker else f"{block.marker} {block.text}"


def _marker(blocks: Sequence[Block], kind: BlockKind) -> str | None:
    return blocks[0].marker if kind is BlockKind.FOOTNOTE and blocks[0].kind is kind else None


def _of_segment(segment: str | Rows | Code | Formula) -> Iterator[Block]:
    if isinstance(segment, str):
        yield from prose_blocks(segment)
    elif isinstance(segment, Code):
        if text := segment.text.strip("\n"):
            yield Block(BlockKind.CODE, text=text)
    elif isinstance(segment, Formula):
        if segment.latex:
            yield Block(BlockKind.FORMULA, text=segment.latex)
    else:
        yield from _table(segment)


def _table(rows: Rows) -> Iterator[Block]:
    """A table, after its captions. Rows without a sensible grid are a paragraph."""
    rows = [row for row in rows if row]
    for row in rows:
        if row[0].is_caption and (text := bare_text(row[0].text).strip()):
            yield Block(BlockKind.CAPTION, text=text)
    rows = [row for row in rows if not row[0].is_caption]
    if cells := grid_of(rows):
        yield Block(BlockKind.TABLE, text="\n".join(_lines(cells)), cells=cells)
    elif text := as_text(rows):
        yield Block(BlockKind.PARAGRAPH, text=text)


def _lines(cells: Sequence[Cell]) -> Iterator[str]:
    """The text of each row of a table."""
    rows: dict[int, list[str]] = {}
    for cell in cells:
        if cell.text:
            rows.setdefault(cell.row, []).append(" ".join(cell.text.split()))
    return ("\t".join(texts) for texts in rows.values())


def _captioned(blocks: list[Block]) -> Iterator[Block]:
    """The blocks; a paragraph beside a table or picture that begins like "Table 2:" is its caption."""
    for before, block, after in zip([None, *blocks], blocks, [*blocks[1:], None], strict=False):
        is_beside = (before is not None and before.kind in _SHOWN) or (after is not None and after.kind in _SHOWN)
        is_caption = block.kind is BlockKind.PARAGRAPH and is_beside and _CAPTION.match(block.text) is not None
        yield replace(block, kind=BlockKind.CAPTION) if is_caption else block


def _shown(block: Block) -> str:
    return f"{block.marker or ''} {block.text}"


def _characters(*texts: str) -> Counter[str]:
    """How often each letter and digit is in some texts."""
    count: Counter[str] = Counter()
    for text in texts:
        count.update(text)
    return Counter({char: times for char, times in count.items() if char.isalnum()})
