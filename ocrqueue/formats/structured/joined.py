"""The pages of a result with their final blocks, and the Markdown that is made from them."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.formats.placement import width
from ocrqueue.formats.structured.markdown import page_markdown
from ocrqueue.states import Origin, PageState
from ocrqueue.storage.blocks import block_json, block_of
from ocrqueue.storage.values import quad_of
from ocrqueue.structure.joining import Joiner, Survey

_HEADINGS = (BlockKind.TITLE, BlockKind.HEADING)
_MARGIN = 0.4  # times the height of a box: white in it before and after its text
_POINTS = 72  # to the inch
Page = Mapping[str, Any]


def joined(pages: Callable[[], Iterable[Page]], keep_running_heads: bool) -> Iterator[Page]:
    """The pages of a document, one after another; those with blocks have the final ones.

    `pages` is called twice: the first time a little is kept of each page, to decide what concerns several. One page is
    in memory at a time.
    """
    joiner = Joiner(_survey(pages()))
    for page in pages():
        yield page if page.get("blocks") is None else _final(page, joiner, keep_running_heads)


def _survey(pages: Iterable[Page]) -> Survey:
    """What is known of the pages."""
    survey = Survey()
    for page in pages:
        if page["state"] != PageState.OK:
            continue
        blocks = [block_of(value) for value in page.get("blocks") or ()]
        is_read = page["origin"] == Origin.OCR
        if is_read and page["dpi"]:
            blocks = [_measured(block, page) if block.kind in _HEADINGS else block for block in blocks]
        survey.add(page["page"], blocks, page["height"], is_read)
    return survey


def _measured(block: Block, page: Page) -> Block:
    """A heading with the size of its type by the width of its longest line.

    The heights of boxes that an engine draws depend on the letters more than on the type: "Tea" is lower than "Egg".
    """
    lines = [page["lines"][index] for index in block.lines if index < len(page["lines"])]
    line = max(lines, key=lambda line: len(line["text"]), default=None)
    widths = sum(width(char) for char in line["text"]) if line else 0
    if line is None or not widths:
        return block
    a, b, _, d = quad_of(line["box"])
    long, high = sorted((math.dist(a, b), math.dist(a, d)), reverse=True)
    points = (long - _MARGIN * high) / widths * _POINTS / page["dpi"]
    return replace(block, size=points) if points > 0 else block


def _final(page: Page, joiner: Joiner, keep_running_heads: bool) -> dict[str, Any]:
    """A page with its final blocks and their Markdown."""
    blocks = [block_of(value) for value in page["blocks"]]
    boxes = [quad_of(line["box"]) for line in page["lines"]]
    found = joiner.page(page["page"], blocks, page["width"], page["height"], boxes)
    final = {**page, "blocks": [block_json(block) for block in found]}
    return final | {"markdown": page_markdown(final, keep_running_heads, joiner.has_title)}
