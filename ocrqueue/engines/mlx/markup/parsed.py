"""What a parser returns, and how a page is put together from blocks of Markdown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.engines.mlx.markup.blocks import markdown_blocks, of_kind, text_blocks
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
class Element:
    """A part of a page, such as a paragraph or a table."""

    markdown: str  # formulas and tables may be in LaTeX
    box: Quad | None = None  # in pixels of the page image; None: the model gave none, or none that makes sense
    kind: BlockKind | None = None  # None: the model does not say, or there is no name for it
    depth: int | None = None  # of an item of a list
    marker: str | None = None  # of an item of a list


def page_of(elements: Iterable[Element]) -> Parsed:
    """A page of elements, in their order. An element with a box is a line of the page, too."""
    contents: list[str] = []
    lines: list[Line] = []
    blocks: list[Block] = []
    for element in elements:
        content = _normal(element.markdown)
        if content:
            contents.append(content)
        words = plain(content)
        found = _blocks(element, content, words)
        if element.box and words:
            found[0] = replace(found[0], lines=(len(lines),))
            lines.append(Line(bare(words), element.box))
        blocks += found
    markdown = "\n\n".join(contents)
    return Parsed(PageText(lines, text=plain(markdown), markdown=markdown, blocks=tuple(blocks)))


def _blocks(element: Element, content: str, words: str) -> list[Block]:
    """The blocks of an element: at least one if it has `words`, or if it is a picture with a box."""
    blocks = of_kind(markdown_blocks(content), element.kind) or text_blocks(words)
    if not blocks and element.kind is BlockKind.PICTURE and element.box:
        blocks = (Block(BlockKind.PICTURE),)
    if element.depth and blocks[:1] and blocks[0].kind is BlockKind.LIST_ITEM:
        first = replace(blocks[0], depth=element.depth, marker=element.marker or blocks[0].marker)
        blocks = (first, *blocks[1:])
    return [replace(block, box=element.box) for block in blocks] if element.box else list(blocks)


def _normal(markdown: str) -> str:
    """Markdown with tables of LaTeX as HTML, and with formulas between dollars. What the answer's end cut is closed."""
    content = outside_code(markdown.strip(), lambda text: with_closed_tables(dollars(with_html_tables(text))))
    return closed(content.strip())


def lines_of(found: Iterable[tuple[str, Quad | None]]) -> Parsed:
    """A page of lines, in their order. A text without a box is in the text of the page only.

    Blocks are left to whoever finds them by the places of lines, unless a line has none.
    """
    texts = [(content.strip(), box) for content, box in found if content.strip()]
    lines = [Line(content, box) for content, box in texts if box]
    text = "\n".join(content for content, _ in texts)
    if lines and len(lines) == len(texts):
        return Parsed(PageText(lines, text=text))
    numbers = count()
    blocks = (Block(BlockKind.PARAGRAPH, box, (next(numbers),) if box else (), content) for content, box in texts)
    return Parsed(PageText(lines, text=text, blocks=tuple(blocks)))
