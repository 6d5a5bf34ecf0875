"""The depths of list items, where a list goes on in another column or on another page."""

import re
from dataclasses import replace

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.geometry import bounds

_COLUMN = 0.2  # share of the page's width: an item that begins so far from the one before is in another column
_BETWEEN = frozenset({BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER, BlockKind.FOOTNOTE, BlockKind.PICTURE})


class Depths:
    """Gives list items their depths within the document. A page tells how deep they are on the page itself.

    Where a list goes on elsewhere, the style of the first marker there says how deep its item is.
    """

    def __init__(self) -> None:
        self._depth_of: dict[str, int] = {}  # style of marker: depth, in the list that is open
        self._more = 0  # what is added to the depths that the page says
        self._left: float | None = None  # of the item before, in pixels; None: on another page, or not known

    def next_page(self) -> None:
        """Go on with another page."""
        self._left = None

    def of(self, block: Block, width: int | None) -> Block:
        """The block, with its depth if it is a list item. `width` is that of the page in pixels."""
        if block.kind != BlockKind.LIST_ITEM:
            if block.kind not in _BETWEEN and not block.continues:
                self._depth_of, self._more = {}, 0
            return block
        if block.continues:
            return block if block.depth else replace(block, depth=max(self._depth_of.values(), default=1))
        guess, style = block.depth or 1, _style(block.marker)
        left = bounds(block.box)[0] if block.box else None
        is_elsewhere = self._is_elsewhere(left, width)
        if (is_elsewhere or self._more) and style in self._depth_of:
            self._more = self._depth_of[style] - guess
        elif is_elsewhere:
            self._more = 0
        depth = max(1, min(guess + self._more, max(self._depth_of.values(), default=0) + 1))
        self._depth_of = {known: at for known, at in self._depth_of.items() if at < depth} | {style: depth}
        self._left = left
        return replace(block, depth=depth)

    def _is_elsewhere(self, left: float | None, width: int | None) -> bool:
        """Whether an item is the first of its page, or in another column than the one before."""
        if self._left is None:
            return True
        return left is not None and bool(width) and abs(left - self._left) > _COLUMN * (width or 0)


def _style(marker: str | None) -> str:
    """What the markers of one list have in common: "•", "1.", "a)"."""
    return re.sub(r"[A-Z]+", "A", re.sub(r"[a-z]+", "a", re.sub(r"\d+", "1", marker or "")))
