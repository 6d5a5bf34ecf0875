"""The flow of a document: the blocks of its pages, one after another, without the breaks that pages and columns make.

A paragraph, list item, note or table that goes on over a page is one part. Only the parts of one page, and one that
goes on, are in memory.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.formats.structured.notes import Notes
from ocrqueue.hyphens import join_lines
from ocrqueue.layout import blocks_by_rules
from ocrqueue.storage.blocks import block_of
from ocrqueue.storage.results import text_of
from ocrqueue.storage.values import clean_text

RUNNING = (BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER)
_NO_CODE = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(slots=True)
class Part:
    """A block in the flow of its document."""

    kind: BlockKind
    text: str  # marks of notes in it: see `notes.MARK`
    level: int | None = None
    depth: int | None = None
    marker: str | None = None
    cells: list[Cell] = field(default_factory=list)
    rows: int = 0  # of the cells
    label: str | None = None  # of a note to which a mark in the text refers: unique in the document


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where a page begins. A part that goes on over the beginning stands before it."""

    number: int
    error: str | None  # code
    warnings: tuple[str, ...]  # codes


Item = Part | PageStart
Page = Mapping[str, Any]


def flow(pages: Iterable[Page], keep_running_heads: bool) -> Iterator[Item]:
    """The parts of the document. Running heads, feet and page numbers are left out if they are not wanted."""
    notes = Notes()
    held: list[Item] = []
    for page in pages:
        blocks = [block for block in blocks_in(page) if keep_running_heads or block.kind not in RUNNING]
        keep = _kept(held, blocks)
        yield from held[:keep]
        held = held[keep:]
        held.append(_start(page))
        texts, labels = notes.marked(blocks, page["page"])
        for block, text, label in zip(blocks, texts, labels, strict=True):
            before = _last(held, block.kind) if block.continues else None
            if before is None or bool(before.cells) != bool(_cells(block)):
                held.append(_part(block, text, label))
            else:
                _go_on(before, block, text)
    yield from held


def blocks_in(page: Page) -> list[Block]:
    """The blocks of a page of a result; those that rules find if it has none."""
    stored = page.get("blocks")
    if stored is not None:
        return [block_of(value) for value in stored]
    return list(blocks_by_rules(text_of(page), page["dpi"]))


def _start(page: Page) -> PageStart:
    error = page["error"]
    codes = [_NO_CODE.sub("", warning["code"]) for warning in page.get("warnings", ())]
    return PageStart(page["page"], _NO_CODE.sub("", error["code"]) if error else None, tuple(codes))


def _part(block: Block, text: str, label: str | None) -> Part:
    cells = _cells(block)
    marker = None if block.marker is None else clean_text(block.marker)
    return Part(block.kind, text, block.level, block.depth, marker, cells, _rows(cells), label)


def _cells(block: Block, rows: int = 0) -> list[Cell]:
    """The cells of a table without their boxes, below so many rows; none for other blocks."""
    if block.kind != BlockKind.TABLE:
        return []
    return [replace(cell, row=cell.row + rows, box=None, text=clean_text(cell.text)) for cell in block.cells]


def _rows(cells: Sequence[Cell]) -> int:
    """How many rows a table has."""
    return max((cell.row + cell.row_span for cell in cells), default=0)


def _kept(held: list[Item], following: list[Block]) -> int:
    """Where in `held` the first part stands that goes on in one of the following blocks."""
    going_on = {block.kind for block in following if block.continues}
    places = [_place(held, kind) for kind in going_on]
    return min((place for place in places if place is not None), default=len(held))


def _last(held: list[Item], kind: BlockKind) -> Part | None:
    place = _place(held, kind)
    item = None if place is None else held[place]
    return item if isinstance(item, Part) else None


def _place(held: list[Item], kind: BlockKind) -> int | None:
    """Where the last part of a kind stands."""
    for index in range(len(held) - 1, -1, -1):
        item = held[index]
        if isinstance(item, Part) and item.kind == kind:
            return index
    return None


def _go_on(part: Part, block: Block, text: str) -> None:
    """Add a block that goes on from a part to it."""
    if part.cells:
        rows, part.rows = part.rows, part.rows + _rows(block.cells)
        part.cells += _cells(block, rows)
        return
    separator = "\n" if block.kind in (BlockKind.TABLE, BlockKind.CODE) else None
    part.text = join_lines([part.text, text]) if separator is None else f"{part.text}{separator}{text}"
