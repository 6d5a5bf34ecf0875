"""The paragraphs of a stored page with the lines that they consist of, for APIs that want boxes of paragraphs."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import Rect, bounds
from ocrqueue.storage.blocks import block_of

Lines = list[Mapping[str, Any]]  # lines of a page of the result


def paragraphs(page: Mapping[str, Any]) -> Iterator[tuple[str, Lines]]:
    """The paragraphs of a page: their text, and those of the page's lines that lie in them, in order.

    A line belongs to the paragraph in whose text it is found next; a line that is not found belongs to none.
    """
    left = deque(page["lines"])
    for paragraph in page["text"].split("\n\n"):
        text = paragraph.strip("\n")
        if not text.strip():
            continue
        found: Lines = []
        position = 0
        while left:
            line = left[0]["text"].strip()
            place = text.find(line, position)
            if place < 0:
                break
            found.append(left.popleft())
            position = place + len(line)
        yield text, found


def around(lines: Lines) -> Rect | None:
    """Left, top, right and bottom of the box around lines, in pixels; None if there is no line."""
    return bounds((x, y) for line in lines for x, y in line["box"]) if lines else None


def parts(page: Mapping[str, Any]) -> Iterator[tuple[BlockKind, str, Rect | None]]:
    """The blocks of a page, or its paragraphs if it has no blocks: kind, text, and the box if there is one."""
    if page.get("blocks") is None:
        for text, lines in paragraphs(page):
            yield BlockKind.PARAGRAPH, text, around(lines)
        return
    for block in map(block_of, page["blocks"]):
        text = "\n".join(cell.text for cell in block.cells if cell.text) if block.cells else block.text
        yield block.kind, text, None if block.box is None else bounds(block.box)
