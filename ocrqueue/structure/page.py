"""The blocks of one page, from its lines and the regions that the layout models find on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.documents import Document
from ocrqueue.engines.mlx import NAME as MLX
from ocrqueue.engines.mlx.markup.blocks import blocks_of_page
from ocrqueue.geometry import Rect
from ocrqueue.hyphens import Words, join_lines
from ocrqueue.layout.pieces import frame_of
from ocrqueue.pages import PageText
from ocrqueue.process.memory import trim
from ocrqueue.states import Origin
from ocrqueue.storage.results import PageFacts
from ocrqueue.structure.dividing import divided
from ocrqueue.structure.guesses import lines_apart, settled
from ocrqueue.structure.ink import without_paper
from ocrqueue.structure.lists import bullets_among, is_item, list_items, set_depths
from ocrqueue.structure.models import Slot, has_models, mirrored_table, regions_of, shapes_on, tables_of
from ocrqueue.structure.order import in_order
from ocrqueue.structure.parts import Part, parts_of
from ocrqueue.structure.sheet import Sheet, sheet_of
from ocrqueue.structure.tables import filled, overlap, slots_of
from ocrqueue.structure.texts import Text, texts_of
from ocrqueue.structure.unseen.code import code_text, with_code
from ocrqueue.structure.unseen.line_numbers import line_numbers, numbers_part, without_items
from ocrqueue.structure.unseen.pairs import with_pairs
from ocrqueue.structure.unseen.turned import turned_parts

if TYPE_CHECKING:
    from PIL.Image import Image

_SAME_TABLE = 0.5  # shared area of two boxes, as a share of both together, from which on they are of one table


def find_blocks(
    document: Document | None, number: int, page: PageText, facts: PageFacts, image: "Image | None" = None
) -> tuple[Block, ...] | None:
    """The blocks of page `number` (from 1) in reading order. Each line that has text is in exactly one block.

    A page whose text comes from a PDF is examined in `document`; another page in `image`, the page image to which the
    lines refer, in any resolution. A page whose text a model wrote has the blocks of that text. None where the layout
    models are missing or cannot see the page, and for text that is written downwards: the caller has rules instead.
    Raises what the models raise.
    """
    if _is_written(page, facts):
        return blocks_of_page(page)
    if not has_models() or frame_of(page.lines).vertical:
        return None
    try:
        with sheet_of(document, number, page, facts, image) as sheet:
            if sheet is None:
                return None
            words, painted, parts = Words(), *_parts_on(page, sheet)
            words.add(line.text for line in page.lines)
            tables = [part for part in parts if part.kind is BlockKind.TABLE and part.region]
            if tables and image and facts.width and not sheet.is_source:
                _look_closer(tables, number, without_paper(page, image, facts.width), facts, image)
            return tuple(_block(part, painted, sheet, words) for part in parts)
    finally:
        trim()  # the models leave 50 MB and more of freed memory with the allocator


@dataclass(frozen=True, slots=True)
class _Painted:
    """What is on the page besides the lines of text."""

    tables: Sequence[Sequence[Slot]] = ()  # the cells of each table that PyMuPDF finds
    shapes: Sequence[Rect] = ()  # the boxes of what is drawn


def _is_written(page: PageText, facts: PageFacts) -> bool:
    """Whether a model wrote the text of a page, so that it is not made of its lines, or the page has no lines."""
    texts = [line.text for line in page.lines if line.text.strip()]
    if not texts or facts.engine != MLX or page.markdown is None:
        return not texts
    return page.plain != "\n".join(texts) and any(line.origin == Origin.OCR for line in page.lines)


def _parts_on(page: PageText, sheet: Sheet) -> tuple[_Painted, list[Part]]:
    """What is painted on a page, and its parts in reading order."""
    texts = texts_of(page.lines, sheet)
    regions = regions_of(sheet.page)
    painted = _Painted()
    if sheet.is_source:
        has_tables = any(region.kind == "table" for region in regions)
        shapes = [sheet.seen(shape) for shape in shapes_on(sheet.page)]
        painted = _Painted(tables_of(sheet.page) if has_tables else (), shapes)
    if sheet.mirrors_source:
        regions = [region.mirrored(sheet.width) for region in regions]
        painted = replace(painted, tables=[mirrored_table(table, sheet.width) for table in painted.tables])
    turned, numbers = turned_parts(texts, page.lines), line_numbers(texts)
    apart = {text.index for text in numbers} | {text.index for part in turned for text in part.texts}
    texts = [text for text in texts if text.index not in apart]
    bullets = bullets_among(painted.shapes)
    found = divided(settled(with_code(parts_of(texts, regions))), painted.shapes)
    if numbers:
        found = without_items(found, lambda text: is_item(text, bullets))
    known = with_pairs(found, lambda text: is_item(text, bullets))
    parts = [item for part in known for item in list_items(part, bullets)]
    ordered = in_order(parts) + turned + ([numbers_part(numbers)] if numbers else [])
    set_depths(ordered)
    return painted, ordered


def _look_closer(tables: Sequence[Part], number: int, page: PageText, facts: PageFacts, image: "Image") -> None:
    """Give tables that were read the grids and lines that they have without the paper around the lines.

    With it, columns touch and rows overlap in many tables. The other parts keep it: the models know them better so.
    """
    with sheet_of(None, number, page, facts, image) as sheet:
        if sheet is None:
            return
        texts = {text.index: text for text in texts_of(page.lines, sheet)}
        grids = [region for region in regions_of(sheet.page) if region.kind == "table" and region.rows]
    for part in tables:
        part.texts = [texts[text.index] for text in part.texts]
        best = max(grids, key=lambda grid: overlap(grid.box, part.box), default=None)
        if best and overlap(best.box, part.box) >= _SAME_TABLE:
            part.region = best


def _block(part: Part, painted: _Painted, sheet: Sheet, words: Words) -> Block:
    """A part as a block. A table whose cells are not recognised is a paragraph."""
    cells = _cells(part, painted, sheet) if part.kind is BlockKind.TABLE else ()
    kind = BlockKind.PARAGRAPH if part.kind is BlockKind.TABLE and not cells else part.kind
    known = [text.is_bold for text in part.texts if text.is_bold is not None]
    text = _joined(kind, part.texts, words)
    if part.marker and text.startswith(part.marker):
        text = text[len(part.marker) :].lstrip()
    return Block(
        kind,
        sheet.quad(part.box),
        tuple(text.index for text in part.texts),
        text,
        depth=part.depth,
        marker=part.marker,
        cells=cells,
        size=part.size or None,
        is_bold=sum(known) * 2 > len(known) if known else None,
    )


def _joined(kind: BlockKind, texts: Sequence[Text], words: Words) -> str:
    """The text of a block: the lines of a paragraph are one, unless they stand alone."""
    if kind is BlockKind.CODE:
        return code_text(texts)
    lines = [text.text for text in texts]
    apart = lines if kind is BlockKind.PICTURE else lines_apart(texts) if kind is BlockKind.PARAGRAPH else []
    return "\n".join(apart) if apart else join_lines(lines, words)


def _cells(part: Part, painted: _Painted, sheet: Sheet) -> tuple[Cell, ...]:
    """The cells of a table; empty if it has not at least two."""
    slots = slots_of(part.region, part.texts, painted.tables, painted.shapes) if part.region else ()
    if len(slots) < 2:
        return ()
    found = []
    for cell in filled(slots, part.texts):
        slot, box = cell.slot, sheet.quad(cell.slot.box)
        found.append(Cell(slot.row, slot.column, slot.row_span, slot.column_span, slot.is_header, cell.text, box))
    return tuple(found)
