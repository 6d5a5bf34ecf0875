"""Captions: found by their words, and put beside their table or picture."""

from collections.abc import Sequence
from dataclasses import replace

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.geometry import Rect, bounds
from ocrqueue.structure.words import is_caption

_FLOATS = frozenset({BlockKind.TABLE, BlockKind.PICTURE})
_LONGEST = 300  # characters of a caption that its page takes for a paragraph
_NEAR = 0.05  # share of the page's height: so far from its table or picture a caption is at most


def with_captions(blocks: Sequence[Block], height: int | None) -> list[Block]:
    """The blocks of a page, each caption beside the table or picture to which it is nearest."""
    found = [_as_caption(blocks, index) for index in range(len(blocks))]
    for caption in [block for block in found if block.kind == BlockKind.CAPTION]:
        at = found.index(caption)
        if any(block.kind in _FLOATS for block in (*found[max(at - 1, 0) : at], *found[at + 1 : at + 2])):
            continue
        if (place := _nearest(caption, found, height)) is not None:
            del found[at]
            float_at = place - (place > at)
            found.insert(float_at + (not _is_above(caption, found[float_at])), caption)
    return found


def _as_caption(blocks: Sequence[Block], index: int) -> Block:
    """A paragraph beside a table or picture that begins as a caption does, as a caption; other blocks as they are."""
    block = blocks[index]
    if block.kind != BlockKind.PARAGRAPH or len(block.text) > _LONGEST or not is_caption(block.text):
        return block
    near = (*blocks[max(index - 1, 0) : index], *blocks[index + 1 : index + 2])
    return replace(block, kind=BlockKind.CAPTION) if any(other.kind in _FLOATS for other in near) else block


def _nearest(caption: Block, blocks: Sequence[Block], height: int | None) -> int | None:
    """The index of the table or picture above or below a caption; None if none is near."""
    if caption.box is None or not height:
        return None
    box = bounds(caption.box)
    distances = [
        (_distance(box, bounds(block.box)), index)
        for index, block in enumerate(blocks)
        if block.kind in _FLOATS and block.box
    ]
    distance, index = min(distances, default=(1e9, -1))
    return index if distance <= _NEAR * height else None


def _distance(box: Rect, other: Rect) -> float:
    """The white between two boxes, one above the other, in pixels; very much if they are not."""
    if min(box[2], other[2]) <= max(box[0], other[0]):
        return 1e9
    return max(0.0, box[1] - other[3], other[1] - box[3])


def _is_above(caption: Block, block: Block) -> bool:
    assert caption.box is not None
    assert block.box is not None
    return bounds(caption.box)[1] < bounds(block.box)[1]
