"""Parses answers of models as the engine does."""

from collections import Counter

from ocrqueue.blocks import Block
from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import PageText

VIEW = View((1000, 2000), (1000, 2000))  # the model sees the page as it is
HALF = View((1000, 2000), (560, 1120), 0.5)  # shown at half size, padded on the right and at the bottom


def parse(kind: str, answer: str, view: View = VIEW) -> PageText:
    """The page that a parser finds in an answer."""
    return PARSERS[kind](answer, view).page


def texts(page: PageText) -> list[str]:
    """The texts of a page's lines."""
    return [line.text for line in page.lines]


def boxes(page: PageText) -> list[tuple[int, ...]]:
    """The left, top, right and bottom of each line of a page, in whole pixels."""
    return [tuple(round(n) for point in (line.box[0], line.box[2]) for n in point) for line in page.lines]


def markdown_of(page: PageText) -> str:
    """The Markdown of a page; its text if it has none."""
    return page.plain if page.markdown is None else page.markdown


def text_of_blocks(page: PageText) -> str:
    """The text of a page's blocks, with their markers; that of its lines if it has no blocks."""
    if page.blocks is None:
        return "\n".join(line.text for line in page.lines)
    return "\n".join(f"{block.marker or ''} {block.text}" for block in page.blocks)


def check_blocks(page: PageText) -> None:
    """Check that each line is in one block, and that each place of a table belongs to one cell."""
    if page.blocks is not None:
        assert sorted(index for block in page.blocks for index in block.lines) == list(range(len(page.lines)))
        for block in page.blocks:
            assert block.text or not block.lines
            check_grid(block)


def check_grid(block: Block) -> None:
    """Check that each place of a table's grid belongs to one cell, and that its text has the cells' text."""
    places = Counter(
        (row, column)
        for cell in block.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for column in range(cell.column, cell.column + cell.column_span)
    )
    assert set(places.values()) <= {1}
    rows, columns = ({place[axis] for place in places} for axis in (0, 1))
    assert len(places) == len(rows) * len(columns)
    assert rows == set(range(len(rows)))
    assert columns == set(range(len(columns)))
    assert "".join(block.text.split()) == "".join("".join(cell.text for cell in block.cells).split()) or not block.cells
