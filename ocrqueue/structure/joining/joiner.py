"""The final blocks of the pages of a document, made page by page, in order."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.geometry import Quad, bounds
from ocrqueue.pages import is_right_to_left
from ocrqueue.structure.joining.captions import with_captions
from ocrqueue.structure.joining.headings import levels_of
from ocrqueue.structure.joining.lists import Depths
from ocrqueue.structure.joining.running import running_kinds
from ocrqueue.structure.joining.survey import RUNNING, Heading, Survey
from ocrqueue.structure.joining.tables import Shape, going_on, shape_of
from ocrqueue.structure.words import ends_sentence, heading_number, note_mark

_FLOATS = frozenset({BlockKind.TABLE, BlockKind.PICTURE, BlockKind.CAPTION, BlockKind.FOOTNOTE, BlockKind.FORMULA})
_TEXTS = frozenset({BlockKind.PARAGRAPH, BlockKind.LIST_ITEM})
_ASIDE = RUNNING | {BlockKind.FOOTNOTE}
_FULL = 0.02  # share of a paragraph's width: its last line is full if it ends so near to the right edge
_SAME_SIZE = 1.1  # ratio of the sizes of type of the two parts of a paragraph, at most
_SHORTEST = 40  # characters of a text that goes on: labels in drawings are shorter
_HYPHENS = "-\u2010\u00ad⸗"


class Joiner:
    """Makes the final blocks of the pages that a survey knows."""

    def __init__(self, survey: Survey) -> None:
        self._kinds = running_kinds(survey)
        self._body_size = survey.body_size
        headings = [h for h in survey.headings if self._kinds.get(h.page, {}).get(h.index, h.kind) not in RUNNING]
        headings += _new_headings(survey, self._kinds)
        headings.sort(key=lambda heading: (heading.page, heading.index))
        self._levels = levels_of(survey, headings)
        self._depths = Depths()
        self._text: Block | None = None  # the last paragraph or list item of the page before, if it may go on
        self._text_is_full = False
        self._table: Shape | None = None  # of the table at the end of the page before
        self._page = 0

    @property
    def has_title(self) -> bool:
        """Whether a block of the document is its title."""
        return self._levels.title is not None

    def page(
        self, number: int, blocks: Sequence[Block], width: int | None, height: int | None, boxes: Sequence[Quad]
    ) -> list[Block]:
        """The final blocks of a page. Width and height are those of its image, `boxes` those of its lines, in pixels.

        Call it for every page with blocks, in the order of their numbers.
        """
        if number != self._page + 1:
            self._text = self._table = None
        self._page = number
        found = [self._decided(number, index, block) for index, block in enumerate(blocks)]
        found = with_captions(found, height)
        found = self._with_tables(found)
        found = self._with_texts(found, boxes)
        self._depths.next_page()
        return [self._depths.of(block, width) for block in found]

    def _decided(self, number: int, index: int, block: Block) -> Block:
        """A block with its kind and level."""
        kind = self._kinds.get(number, {}).get(index, block.kind)
        if kind in (BlockKind.TITLE, BlockKind.HEADING):
            if (number, index) == self._levels.title:
                return replace(block, kind=BlockKind.TITLE, level=None)
            return replace(block, kind=BlockKind.HEADING, level=self._levels.of.get((number, index), block.level or 1))
        block = replace(block, kind=kind) if kind != block.kind else block
        return _with_mark(block) if kind == BlockKind.FOOTNOTE and not block.marker else block

    def _with_tables(self, blocks: list[Block]) -> list[Block]:
        """The blocks; a table that begins the page may go on from the page before."""
        body = [index for index, block in enumerate(blocks) if block.kind not in _ASIDE]
        before, self._table = self._table, None
        if not body:
            return blocks
        first, last = body[0], body[-1]
        if before and blocks[first].kind == BlockKind.TABLE and blocks[first].cells:
            blocks[first] = going_on(blocks[first], before) or blocks[first]
        if blocks[last].kind == BlockKind.TABLE and blocks[last].cells:
            is_whole = first == last and blocks[last].continues
            self._table = before if is_whole else shape_of(blocks[last])
        return blocks

    def _with_texts(self, blocks: list[Block], boxes: Sequence[Quad]) -> list[Block]:
        """The blocks; a paragraph that begins a page or column may go on from the one before."""
        before, is_full, place = self._text, self._text_is_full, -1
        for index, block in enumerate(list(blocks)):
            if block.kind in RUNNING or block.kind in _FLOATS:
                continue
            if block.kind not in _TEXTS:
                before = None
                continue
            is_elsewhere = place < 0 or index > place + 1 or _is_elsewhere(blocks[place], block)
            if before and block.kind == BlockKind.PARAGRAPH and is_elsewhere and _goes_on(before, is_full, block):
                blocks[index] = replace(block, kind=before.kind, depth=before.depth, continues=True)
            before, is_full, place = blocks[index], _is_full(block, boxes), index
        self._text, self._text_is_full = before, is_full
        return blocks


def _new_headings(survey: Survey, kinds: dict[int, dict[int, BlockKind]]) -> Iterable[Heading]:
    """What pages took for running heads, and is headings."""
    for page, changed in kinds.items():
        for strip in survey.strips[page]:
            if changed.get(strip.index) == BlockKind.HEADING:
                number = heading_number(strip.text)
                yield Heading(page, strip.index, BlockKind.HEADING, strip.size, None, number, None)


def _with_mark(note: Block) -> Block:
    """A note whose marker is apart from its text."""
    match = note_mark(note.text)
    if match is None:
        return note
    return replace(note, marker=match[1] or match[2] or match[3], text=note.text[match.end() :])


def _goes_on(before: Block, is_full: bool, block: Block) -> bool:
    """Whether a paragraph goes on from a text that ends a column or page.

    It does if that ends within a sentence, and this begins with a small letter, or that ends with a full line.
    """
    if len(before.text) < _SHORTEST or not block.text or "\n" in before.text or ends_sentence(before.text):
        return False
    if before.size and block.size and not 1 / _SAME_SIZE <= before.size / block.size <= _SAME_SIZE:
        return False
    first = block.text.lstrip("\"'“„«([")[:1]
    if first.islower():
        return True
    return first.isalpha() and (is_full or before.text[-1] in _HYPHENS) and before.kind == BlockKind.PARAGRAPH


def _is_elsewhere(before: Block, block: Block) -> bool:
    """Whether a block is not below the one before it, but in another column."""
    if before.box is None or block.box is None:
        return False
    left, _, right, bottom = bounds(before.box)
    other_left, other_top, other_right, _ = bounds(block.box)
    return other_top < bottom and (other_left >= right or other_right <= left)


def _is_full(block: Block, boxes: Sequence[Quad]) -> bool:
    """Whether the last of several lines of a block ends at its edge: the left one if it runs to the left."""
    if block.box is None or len(block.lines) < 2 or block.lines[-1] >= len(boxes):
        return False
    left, _, right, _ = bounds(block.box)
    line = bounds(boxes[block.lines[-1]])
    rest = line[0] - left if is_right_to_left(block.text) else right - line[2]
    return rest <= _FULL * (right - left)
