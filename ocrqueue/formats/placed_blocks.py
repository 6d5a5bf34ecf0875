"""The blocks of a stored page with their lines, as hOCR and ALTO need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocrqueue.blocks import BlockKind
from ocrqueue.formats.placement import PlacedLine, numbered_lines
from ocrqueue.geometry import Rect, bounds, union


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block and its lines of text."""

    kind: BlockKind | None  # None: lines that are in no block
    box: Rect | None  # in pixels of the page image; None: not known
    lines: list[PlacedLine]


def placed_blocks(page: Mapping[str, Any]) -> list[PlacedBlock] | None:
    """The blocks of a page in order; together they have all its lines. None if the structure or the lines are unknown.

    A line that is in no block stands after the line before it, in a block of its own kind.
    """
    if page.get("blocks") is None or not page["lines"]:
        return None
    lines = dict(numbered_lines(page))
    found: list[PlacedBlock] = []
    block_at: dict[int, int] = {}  # index of a line: of its block
    for block in page["blocks"]:
        mine = [index for index in block["lines"] if index in lines and index not in block_at]
        block_at |= dict.fromkeys(mine, len(found))
        box = bounds([(x, y) for x, y in block["box"]]) if block["box"] else None
        found.append(PlacedBlock(BlockKind(block["kind"]), box, [lines[index] for index in mine]))
    return _with_others(found, lines, block_at)


def around(lines: list[PlacedLine]) -> Rect | None:
    """The rectangle around all lines with a place; None if there is none."""
    known = [bounds(line.box) for line in lines if line.is_known]
    return union(known) if known else None


def _with_others(
    blocks: list[PlacedBlock], lines: Mapping[int, PlacedLine], block_at: Mapping[int, int]
) -> list[PlacedBlock]:
    """The blocks, and between them the lines that are in none."""
    after: dict[int, list[PlacedLine]] = {}  # by index of the block before
    place = -1
    for index, line in lines.items():
        if index in block_at:
            place = block_at[index]
        else:
            after.setdefault(place, []).append(line)
    found: list[PlacedBlock] = []
    for index in range(-1, len(blocks)):
        if index >= 0:
            found.append(blocks[index])
        if others := after.get(index):
            found.append(PlacedBlock(None, around(others), others))
    return found
