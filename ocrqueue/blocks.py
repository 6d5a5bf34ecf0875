"""The blocks of a page: headings, paragraphs, list items, tables and so on. Plain values: importing them loads nothing.

A block refers to lines of its page by their index. Boxes are in pixels of the upright page image, as those of lines.
"""

from dataclasses import dataclass
from enum import StrEnum

from ocrqueue.geometry import Quad

__all__ = ["Block", "BlockKind", "Cell"]


class BlockKind(StrEnum):
    """What a block is."""

    TITLE = "title"  # of the whole document
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CAPTION = "caption"  # of a table or picture beside it
    FOOTNOTE = "footnote"
    PAGE_HEADER = "page_header"  # a running head, or a page number at the top
    PAGE_FOOTER = "page_footer"
    PICTURE = "picture"  # may contain lines
    FORMULA = "formula"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. Each place of the table's grid belongs to exactly one cell; a cell may be empty."""

    row: int  # its first row, from 0
    column: int  # its first column, from 0
    row_span: int = 1
    column_span: int = 1
    is_header: bool = False
    text: str = ""  # its lines separated by newlines
    box: Quad | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page that is one thing to its readers."""

    kind: BlockKind
    box: Quad | None = None  # None: the engine gives no boxes
    lines: tuple[int, ...] = ()  # indices of its lines on the page, in reading order; no line is in two blocks
    text: str = ""  # without its marker; lines of a paragraph joined, other lines separated by newlines
    level: int | None = None  # of a heading: 1 to 6, within the whole document once the pages are joined
    depth: int | None = None  # of a list item: 1 and more
    marker: str | None = None  # of a list item or footnote, as printed: "•", "2.", "b)", "*"
    cells: tuple[Cell, ...] = ()  # of a table, by row and column
    continues: bool = (
        False  # goes on from the last block of its kind before it, in another column or on the page before
    )
    size: float | None = None  # height of the type in points; None: not known
    is_bold: bool | None = None  # None: not known
