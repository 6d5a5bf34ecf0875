"""What a parser returns, and how a page is put together from blocks of Markdown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ocrqueue.engines.mlx.markup.fences import closed, outside_code
from ocrqueue.engines.mlx.markup.formulas import bare, dollars
from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.markup.tables.from_html import with_closed_tables
from ocrqueue.engines.mlx.markup.tables.from_latex import with_html_tables
from ocrqueue.engines.mlx.view import View
from ocrqueue.geometry import Quad
from ocrqueue.pages import Line, PageText


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser found in a model's answer."""

    page: PageText  # its boxes are in pixels of the page image that the model was given
    turn: int = 0  # degrees clockwise, 0 to 270, by which the page image must be turned to be upright, says the model


Parser = Callable[[str, View], Parsed]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page, such as a paragraph or a table."""

    markdown: str  # formulas and tables may be in LaTeX
    box: Quad | None = None  # in pixels of the page image; None: the model gave none, or none that makes sense


def page_of(blocks: Iterable[Block]) -> Parsed:
    """A page of blocks, in their order. A block with a box is a line of the page, too."""
    found = [(content, block.box) for block in blocks if (content := _normal(block.markdown))]
    lines = [Line(bare(words), box) for content, box in found if box and (words := plain(content))]
    markdown = "\n\n".join(content for content, _ in found)
    return Parsed(PageText(lines, text=plain(markdown), markdown=markdown))


def _normal(markdown: str) -> str:
    """Markdown with tables of LaTeX as HTML, and with formulas between dollars. What the answer's end cut is closed."""
    content = outside_code(markdown.strip(), lambda text: with_closed_tables(dollars(with_html_tables(text))))
    return closed(content.strip())


def lines_of(found: Iterable[tuple[str, Quad | None]]) -> Parsed:
    """A page of lines, in their order. A text without a box is in the text of the page only."""
    texts = [(content.strip(), box) for content, box in found if content.strip()]
    lines = [Line(content, box) for content, box in texts if box]
    return Parsed(PageText(lines, text="\n".join(content for content, _ in texts)))
