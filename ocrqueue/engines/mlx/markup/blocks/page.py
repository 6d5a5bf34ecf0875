"""The blocks of a stored page whose text a model wrote."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ocrqueue.blocks import Block
from ocrqueue.engines.mlx.markup.blocks.whole import markdown_blocks, text_blocks
from ocrqueue.pages import Line, PageText

_AHEAD = 10  # lines among which that of a block is looked for


def blocks_of_page(page: PageText) -> tuple[Block, ...]:
    """The blocks of a page whose text is not made of its lines: those it has, else those of its Markdown or text.

    A line belongs to the first block of those whose text it has, and all of them get its box. A line of which no block
    has the text belongs to none.
    """
    if page.blocks is not None:
        return page.blocks
    blocks = text_blocks(page.plain) if page.markdown is None else markdown_blocks(page.markdown)
    return tuple(_with_lines(blocks, page.lines))


def _with_lines(blocks: Sequence[Block], lines: Sequence[Line]) -> Iterator[Block]:
    """The blocks with their lines. Both are in one order, and the text of a line may be that of several blocks."""
    keys = [_key(line.text) for line in lines]
    at, left = 0, ""  # index of the next line; what is left of the text of the line before
    for block in blocks:
        key = _key(f"{block.marker or ''}{block.text}")
        if key and left.startswith(key):
            left = left[len(key) :]
            yield replace(block, box=lines[at - 1].box)
            continue
        found = next((index for index in range(at, len(lines))[:_AHEAD] if key and keys[index].startswith(key)), None)
        if found is None:
            yield block
            continue
        at, left = found + 1, keys[found][len(key) :]
        yield replace(block, box=lines[found].box, lines=(found,))


def _key(text: str) -> str:
    """Letters and digits, by which texts are compared."""
    return "".join(filter(str.isalnum, text))
