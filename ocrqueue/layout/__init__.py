"""Layout: puts the lines of a page in reading order, and makes text and Markdown of them. Loads nothing heavy."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ocrqueue.layout.capitals import with_capitals
from ocrqueue.layout.joined import separated
from ocrqueue.layout.markdown import markdown
from ocrqueue.layout.paragraphs import paragraphs_of, row_text
from ocrqueue.layout.pieces import frame_of, piece_of
from ocrqueue.layout.reading_order import blocks_of
from ocrqueue.layout.rule_blocks import blocks_by_rules
from ocrqueue.layout.splitter import Splitter
from ocrqueue.pages import PageText
from ocrqueue.process.garbage import uncollected

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["arrange", "blocks_by_rules"]


@uncollected()
def arrange(page: PageText, image: "Image | None" = None) -> PageText:
    """The page with its lines in reading order, and with text and Markdown.

    A page with text or Markdown is unchanged, and so is one with blocks, which refer to its lines by their indices.

    Columns are read one after the other, tables and receipts row by row, vertical columns from right to left. A line
    that crosses a gutter is split. In `text`, each line is a row of the page, and empty lines separate paragraphs.
    `image` is the page image to which the boxes refer; lines without words are examined in it. Raises nothing.
    """
    if not page.lines or any(given is not None for given in (page.text, page.markdown, page.blocks)):
        return page
    frame = frame_of(page.lines)
    pieces = with_capitals(separated([piece_of(line, frame) for line in page.lines], frame), frame)
    blocks = blocks_of(pieces, Splitter(frame, image))
    paragraphs = paragraphs_of(blocks)
    return replace(
        page,
        lines=[piece.line for block in blocks for row in block for piece in row],
        text="\n\n".join("\n".join(row_text(row) for row in paragraph.rows) for paragraph in paragraphs),
        markdown=markdown(paragraphs),
    )
