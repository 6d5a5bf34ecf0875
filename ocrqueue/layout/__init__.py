"""Layout: the lines of a page in reading order, and the text and Markdown that they make. Loads nothing heavy."""

from typing import TYPE_CHECKING

from ocrqueue.layout.markdown import markdown
from ocrqueue.layout.paragraphs import paragraphs_of, row_text
from ocrqueue.layout.pieces import frame_of, piece_of
from ocrqueue.layout.reading_order import blocks_of
from ocrqueue.layout.splitter import Splitter
from ocrqueue.pages import PageText

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["arrange"]


def arrange(page: PageText, image: "Image | None" = None) -> PageText:
    """The page with its lines in reading order, and its text and Markdown; one that has either is left as it is.

    Columns are read one after the other, tables and receipts row by row, columns written downwards from right to left.
    A line that runs across a gutter is divided. In `text` a line stands for a row, and an empty one parts paragraphs.
    `image` is the page image the boxes refer to; it is looked at where a line has no words. Raises nothing.
    """
    if not page.lines or page.text is not None or page.markdown is not None:
        return page
    frame = frame_of(page.lines)
    blocks = blocks_of([piece_of(line, frame) for line in page.lines], Splitter(frame, image))
    paragraphs = paragraphs_of(blocks)
    return PageText(
        [piece.line for block in blocks for row in block for piece in row],
        "\n\n".join("\n".join(row_text(row) for row in paragraph.rows) for paragraph in paragraphs),
        markdown(paragraphs),
    )
