"""What is kept of each page until the whole document is known: what may be a running head, headings, sizes of type."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.geometry import bounds
from ocrqueue.structure.words import heading_number

_OUTER = 0.12  # share of the page's height at either end in which running heads and feet are looked for
_LONGEST = 200  # characters of a running head or foot
_LINES = 4  # of a running head or foot, at most
_ORDER = 2  # blocks at either end of a page whose places are not known
_NEVER = frozenset({BlockKind.TABLE, BlockKind.PICTURE, BlockKind.FORMULA, BlockKind.CODE})
RUNNING = frozenset({BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER})


@dataclass(frozen=True, slots=True)
class Strip:
    """A block at the top or the bottom of a page."""

    index: int  # of the block
    kind: BlockKind
    is_top: bool
    middle: float | None  # its height: 0 is the top of the page, 1 the bottom; None: not known
    text: str
    size: float | None
    lines: int

    @property
    def depth(self) -> float:
        """How far it is from its end of the page, as a share of the page's height."""
        if self.middle is None:
            return 0.0
        return self.middle if self.is_top else 1 - self.middle


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the document."""

    page: int
    index: int  # of the block
    kind: BlockKind
    size: float | None
    is_bold: bool | None
    number: int  # how many parts its number has; 0 without one
    level: int | None  # as the page says


class Survey:
    """What is known of the pages that were added. Some kilobytes a page."""

    def __init__(self) -> None:
        self.strips: dict[int, list[Strip]] = {}  # by page
        self.headings: list[Heading] = []
        self.blocks = 0  # of all pages
        self.bare: set[int] = set()  # pages that take all they have for running heads
        self.is_read = False  # whether most pages were read by OCR, so that sizes of type are those of boxes
        self._sizes: Counter[float] = Counter()  # characters of body text by size of type, in half points
        self._read = self._pages = 0

    def add(self, number: int, blocks: Sequence[Block], height: int | None, is_read: bool) -> None:
        """Add a page. `height` is that of its image in pixels; `is_read` says whether it was read by OCR."""
        self._pages += 1
        self.blocks += len(blocks)
        if all(block.kind in RUNNING for block in blocks):
            self.bare.add(number)
        self._read += is_read
        self.is_read = 2 * self._read > self._pages
        strips = [_strip(index, block, len(blocks), height) for index, block in enumerate(blocks)]
        self.strips[number] = [strip for strip in strips if strip is not None]
        for index, block in enumerate(blocks):
            if block.kind in (BlockKind.TITLE, BlockKind.HEADING):
                count = heading_number(block.text)
                self.headings.append(Heading(number, index, block.kind, block.size, block.is_bold, count, block.level))
            elif block.kind in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM) and block.size:
                self._sizes[round(2 * block.size) / 2] += len(block.text)

    @property
    def body_size(self) -> float | None:
        """The median size of the characters of paragraphs and list items, in points; None if it is not known."""
        half = self._sizes.total() / 2
        for size, count in sorted(self._sizes.items()):
            half -= count
            if half <= 0:
                return size
        return None


def _strip(index: int, block: Block, count: int, height: int | None) -> Strip | None:
    """A block that may be a running head or foot by its kind, length and place; None if it cannot."""
    is_guess = block.kind in RUNNING
    text = " ".join(block.text.split())
    if not text or block.kind in _NEVER or (len(text) > _LONGEST and not is_guess):
        return None
    lines = max(len(block.lines), block.text.count("\n") + 1)
    if block.box is None or not height:
        if lines <= _LINES and (index < _ORDER or index >= count - _ORDER or is_guess):
            is_top = block.kind == BlockKind.PAGE_HEADER or (index < _ORDER and block.kind != BlockKind.PAGE_FOOTER)
            return Strip(index, block.kind, is_top, None, text, block.size, lines)
        return None
    _, top, _, bottom = bounds(block.box)
    middle = (top + bottom) / 2 / height
    if not is_guess and (_OUTER < middle < 1 - _OUTER or lines > _LINES):
        return None
    return Strip(index, block.kind, middle < 0.5, middle, text[:_LONGEST], block.size, lines)
