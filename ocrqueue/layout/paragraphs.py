"""Paragraphs: which rows belong together, and what they are: text, heading, list item, table, single lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby, pairwise
from statistics import median

from ocrqueue.layout.bullets import BULLETS, TICKS
from ocrqueue.layout.pieces import Piece, is_note
from ocrqueue.layout.reading_order import Block
from ocrqueue.layout.rows import Row
from ocrqueue.layout.tables import Table, table_of

# "Size" is the size of a row or piece: about the font size, in pixels.
_CELL_GAP = 1.0  # sizes: white between two cells of a row, at least
_WIDER = 1.35  # times the usual distance of rows: more separates paragraphs
_LOOSEST = 2.5  # sizes: the same if a block has too few rows for a usual distance
_OTHER_SIZE = 1.3  # ratio of sizes: rows whose sizes differ by more are of different paragraphs
_INDENT = 0.6  # sizes: least indentation
_DEEPEST_INDENT = 6.0  # sizes: a row that is indented more is centred, or moved for other reasons
_SHORT = 0.8  # times the width of the block: a shorter row that ends a sentence ends its paragraph
_FULL = 0.6  # times the width of the block: rows of running text are longer
_REST = 8  # characters of the last word of a sentence on a row of its own
_HEADING = 1.25  # times the size of the text of the page: least size of a heading
_HEADING_ROWS = 3  # rows of a heading, at most
_HEADING_LENGTH = 150  # characters of a heading, at most
_HEADING_LETTERS = 3  # letters of a heading, at least
_LEVELS = (1.7, 1.4)  # times the size of the text of the page: least size of headings of level 1 and level 2
_ENDS = frozenset(".!?:;。！？：")  # end a sentence
_CLOSERS = "\"'’”»)]）」』 ⁰¹²³⁴⁵⁶⁷⁸⁹"  # may follow the end of a sentence, as the mark of a note does
_HYPHENS = frozenset("-\u2010\u00ad⸗")  # hyphen-minus, hyphen, soft hyphen, double oblique hyphen
# Markers of list items: bullets, dashes followed by a space, numbers.
_BULLET = re.compile(rf"(?:[{BULLETS}{TICKS}]\s*|[-–—*·]\s+)(?=\S)")
_NUMBER = re.compile(r"(\d{1,3})[.)]\s+(?=\S)")
_SURE_BULLET = re.compile(f"[{BULLETS}{TICKS}]")  # these never begin a sentence
Edges = tuple[float, float]  # left and right edges of a block, in coordinates of the layout


class Kind(Enum):
    """What a paragraph is."""

    TEXT = "text"  # lines that may be joined
    LINES = "lines"  # lines that must not be joined: an address, a receipt, verse
    HEADING = "heading"
    ITEM = "item"  # list item
    TABLE = "table"


@dataclass(slots=True)
class Paragraph:
    """Rows that belong together."""

    rows: list[Row]
    kind: Kind
    level: int = 0  # of a heading: 1 and more
    marker: str = ""  # of a list item: as in the text, such as "- " or "2. "
    table: Table | None = None  # the cells, if `kind` is TABLE


def paragraphs_of(blocks: Sequence[Block]) -> list[Paragraph]:
    """The paragraphs of the blocks of a page, in order. A sentence that goes on in the next block is one paragraph."""
    body = _body_size(blocks)
    found: list[Paragraph] = []
    for block in blocks:
        edges = min(row[0].left for row in block), max(piece.right for row in block for piece in row)
        paragraphs: list[Paragraph] = []
        for rows in _groups(block, edges):
            paragraphs += [_classified(part, edges, body) for part in _without_tables(rows)]
        _settle_items(paragraphs, body)
        if found and paragraphs and _goes_on(found[-1], paragraphs[0]):
            found[-1].rows += paragraphs.pop(0).rows
        found += paragraphs
    return found


def row_text(row: Row) -> str:
    """The text of a row. Two spaces separate cells, one space separates other pieces."""
    text = row[0].line.text
    if len(row) == 1:  # as nearly always
        return text
    for before, piece in pairwise(row):
        text += ("  " if _is_cell_gap(before, piece) else " ") + piece.line.text
    return text


def cells_of(row: Row) -> list[Row]:
    """The pieces of a row, grouped into cells."""
    cells = [[row[0]]]
    for before, piece in pairwise(row):
        if _is_cell_gap(before, piece):
            cells.append([piece])
        else:
            cells[-1].append(piece)
    return cells


def _has_cells(row: Row) -> bool:
    """Whether a row consists of more than one cell."""
    return len(row) > 1 and any(_is_cell_gap(before, piece) for before, piece in pairwise(row))


def row_size(row: Row) -> float:
    """The mean size of the pieces of a row, each weighted by its number of characters."""
    if len(row) == 1:
        return row[0].size
    total = sum(len(piece.line.text) + 1 for piece in row)
    return sum(piece.size * (len(piece.line.text) + 1) for piece in row) / total


def _is_cell_gap(before: Piece, piece: Piece) -> bool:
    """Whether two neighbours in a row are in different cells."""
    return piece.left - before.right > _CELL_GAP * min(before.size, piece.size)


def _body_size(blocks: Sequence[Block]) -> float:
    """The median of the sizes of all characters of the page; 1 without characters."""
    sizes = sorted((p.size, len(p.line.text)) for block in blocks for row in block for p in row)
    half = sum(length for _, length in sizes) / 2
    for size, length in sizes:
        half -= length
        if half <= 0:
            return size
    return 1.0


def _groups(block: Block, edges: Edges) -> Iterator[list[Row]]:
    """The rows of a block, divided where a paragraph begins."""
    usual = _usual_distance(block)
    group: list[Row] = []
    for index, row in enumerate(block):
        following = block[index + 1] if index + 1 < len(block) else None
        if group and _begins(group, row, following, edges, usual):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _usual_distance(block: Block) -> float:
    """The median distance in pixels between the middles of neighbouring rows of one size."""
    distances = [_middle(b) - _middle(a) for a, b in pairwise(block) if not _differ(row_size(a), row_size(b))]
    if len(distances) > 2:
        return max(median(distances), 1.0)
    return _LOOSEST / _WIDER * median(row_size(row) for row in block)


def _begins(group: list[Row], row: Row, following: Row | None, edges: Edges, usual: float) -> bool:
    """Whether a row begins a new paragraph, after the rows of `group`. `following` is the row after it.

    It does after a wide gap, in another size, with a list marker, indented, after a hanging indentation, or after a
    short row that ends a sentence. Rows of cells are kept together.
    """
    before, size = group[-1], row_size(row)
    if _middle(row) - _middle(before) > _WIDER * max(usual, size):
        return True
    if _differ(size, row_size(before)) and not _is_rest(row, before):
        return True
    if _is_marked(row):
        return True
    if _has_cells(before) or _has_cells(row):
        return False
    if _is_indented(row, before, size):
        if _is_marked(group[0]):
            return False
        hangs = following is not None and abs(following[0].left - row[0].left) < _INDENT * size
        return not hangs and before[0].left < edges[0] + _INDENT * size
    if _is_indented(before, row, size) and len(group) > 1 and _is_indented(group[1], group[0], size):
        return True  # the end of a hanging indentation
    width = edges[1] - edges[0]
    return before[-1].right < edges[0] + _SHORT * width and _ends_sentence(before)


def _is_rest(row: Row, before: Row) -> bool:
    """Whether a row is the last word of a sentence. The box of so short a line may be much too high."""
    text = row[0].line.text
    return len(row) == 1 and len(text) <= _REST and text[:1].islower() and not _ends_sentence(before)


def _is_marked(row: Row) -> bool:
    """Whether a row begins with the marker of a list item."""
    text = row[0].line.text
    return bool(_BULLET.match(text) or _NUMBER.match(text))


def _is_indented(row: Row, other: Row, size: float) -> bool:
    """Whether a row begins further right than another."""
    return _INDENT * size < row[0].left - other[0].left < _DEEPEST_INDENT * size


def _without_tables(rows: list[Row]) -> Iterator[list[Row]]:
    """The rows, divided before and after each run of rows with cells that is a table."""
    others: list[Row] = []
    for has_cells, group in groupby(rows, key=_has_cells):
        run = list(group)
        if has_cells and table_of([cells_of(row) for row in run]):
            if others:
                yield others
            yield run
            others = []
        else:
            others += run
    if others:
        yield others


def _classified(rows: list[Row], edges: Edges, body: float) -> Paragraph:
    """The rows as a paragraph of one kind."""
    text = _text(rows)
    in_cells = sum(map(_has_cells, rows))
    if in_cells == len(rows) and (table := table_of([cells_of(row) for row in rows])):
        return Paragraph(rows, Kind.TABLE, table=table)
    if 2 * in_cells >= len(rows):
        return Paragraph(rows, Kind.LINES)
    if match := _BULLET.match(text) or _NUMBER.match(text):
        return Paragraph(rows, Kind.ITEM, marker=match.group())
    if level := _level(rows, body):
        return Paragraph(rows, Kind.HEADING, level=level)
    full = sum(row[-1].right - row[0].left >= _FULL * (edges[1] - edges[0]) for row in rows[:-1])
    return Paragraph(rows, Kind.TEXT if 2 * full >= len(rows) - 1 else Kind.LINES)


def _text(rows: list[Row]) -> str:
    """The text of some rows in one line."""
    return " ".join(row_text(row) for row in rows)


def _level(rows: list[Row], body: float) -> int:
    """The level of a heading; 0 if the rows are not a heading."""
    text = _text(rows)
    ratio = median(row_size(row) for row in rows) / body
    letters = sum(map(str.isalpha, text))
    if (
        ratio < _HEADING
        or len(rows) > _HEADING_ROWS
        or len(text) > _HEADING_LENGTH
        or letters < max(_HEADING_LETTERS, len(text) / 2)
    ):
        return 0
    return next((level for level, least in enumerate(_LEVELS, 1) if ratio >= least), len(_LEVELS) + 1)


def _settle_items(paragraphs: list[Paragraph], body: float) -> None:
    """Turn a dash or number without a similar neighbour, which only looks like a list item, into a heading or text."""
    for index, paragraph in enumerate(paragraphs):
        if paragraph.kind is Kind.ITEM and not _SURE_BULLET.match(paragraph.marker):
            near = paragraphs[max(index - 1, 0) : index] + paragraphs[index + 1 : index + 2]
            if not any(_is_of_one_list(paragraph, other) for other in near):
                paragraph.level = _level(paragraph.rows, body)
                paragraph.kind = Kind.HEADING if paragraph.level else Kind.TEXT


def _is_of_one_list(item: Paragraph, other: Paragraph) -> bool:
    """Whether two neighbours are items of one list: of one size, with the same marker or with successive numbers."""
    if not other.marker or _differ(row_size(item.rows[0]), row_size(other.rows[0])):
        return False
    number, other_number = _NUMBER.match(item.marker + "x"), _NUMBER.match(other.marker + "x")
    if number and other_number:
        return abs(int(number[1]) - int(other_number[1])) == 1
    return item.marker.strip() == other.marker.strip()


def _goes_on(last: Paragraph, first: Paragraph) -> bool:
    """Whether the paragraph `last` continues with `first`, which begins the next block."""
    if first.kind is not Kind.TEXT or last.kind not in (Kind.TEXT, Kind.ITEM):
        return False
    if _differ(row_size(last.rows[-1]), row_size(first.rows[0])) or is_note(first.rows[0][0]):
        return False
    end = last.rows[-1][-1].line.text
    return first.rows[0][0].line.text[:1].islower() and (end[-1:] in _HYPHENS or not _ends_sentence(last.rows[-1]))


def _ends_sentence(row: Row) -> bool:
    """Whether a row ends with the end of a sentence."""
    return row[-1].line.text.rstrip(_CLOSERS)[-1:] in _ENDS


def _differ(a: float, b: float) -> bool:
    """Whether two sizes are those of different paragraphs."""
    return max(a, b) > _OTHER_SIZE * min(a, b)


def _middle(row: Row) -> float:
    """The mean height of the middles of a row's pieces."""
    return row[0].middle if len(row) == 1 else sum(piece.middle for piece in row) / len(row)
