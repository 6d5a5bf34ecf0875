"""Parses answers of models as the engine does."""

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
