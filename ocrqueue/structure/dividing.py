"""Tables that the layout models see as one, and that are several things: a wide gap parts them.

Such as the address of an invoice, the data beside it, and its items below.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import Rect, union
from ocrqueue.structure.models import Region
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text, rows_of

_STEPS = 3.0  # times the usual distance of two rows: a gap between two tables is as high ...
_HIGH = 3.0  # ... and so many sizes of type
_WIDE = 8.0  # sizes of type: side by side, what is so far apart in all rows of a head is two things
_EDGE = 0.5  # sizes of type: columns begin at the same place but for so much
_SAME = 0.9  # share of the lines above a gap that begin where one below it does, in one table


def divided(parts: Sequence[Part], painted: Sequence[Rect]) -> list[Part]:
    """The parts; a table with a gap between its rows is two, if the columns on both sides are others.

    `painted` are the boxes of what is drawn on the page: in a ruled table a gap is an empty cell.
    """
    return [piece for part in parts for piece in _divided(part, painted)]


def _divided(part: Part, painted: Sequence[Rect]) -> list[Part]:
    if part.kind is not BlockKind.TABLE or part.region is None or len(part.texts) < 4:
        return [part]
    rows = rows_of(part.texts)
    steps = [below[0].box[1] - above[0].box[1] for above, below in pairwise(rows)]
    if len(steps) < 3:
        return [part]
    place = max(range(len(steps)), key=steps.__getitem__)
    above, below = rows[: place + 1], rows[place + 1 :]
    top, bottom = max(t.box[3] for row in above for t in row), min(t.box[1] for row in below for t in row)
    size = median(text.size for text in part.texts)
    if (
        steps[place] < _STEPS * median(steps)
        or bottom - top < _HIGH * size
        or _crosses(painted, top, bottom, part.box, size)
    ):
        return [part]
    head, rest = ([text for row in half for text in row] for half in (above, below))
    edges, others = ([text.box[0] for text in half] for half in (head, rest))
    same = sum(any(abs(edge - other) < _EDGE * size for other in others) for edge in edges)
    if len(below) < 2 or same >= _SAME * len(edges):
        return [part]
    return [*_side_by_side(part, head, size), *_divided(_piece(part, rest), painted)]


def _crosses(painted: Sequence[Rect], top: float, bottom: float, box: Rect, size: float) -> bool:
    """Whether a rule or frame of a table, but not of the page, reaches from above a gap to below it."""
    left, right, begin = box[0] - size, box[2] + size, box[1] - _HIGH * size
    return any(
        begin < shape[1] < top and shape[3] > bottom and shape[0] < right and shape[2] > left for shape in painted
    )


def _side_by_side(part: Part, texts: Sequence[Text], size: float) -> list[Part]:
    """The head of a table as paragraphs that stand side by side; lines in two columns become a table later."""
    groups: list[list[Text]] = []
    right = 0.0
    for text in sorted(texts, key=lambda text: text.box[0]):
        if groups and text.box[0] - right < _WIDE * size:
            groups[-1].append(text)
        else:
            groups.append([text])
        right = max(right, text.box[2])
    if len(groups) == 1:
        return [_piece(part, texts)]
    return [
        Part(BlockKind.PARAGRAPH, sorted(group, key=lambda text: text.index), union(text.box for text in group))
        for group in groups
    ]


def _piece(part: Part, texts: Sequence[Text]) -> Part:
    """A table of some of the rows of another."""
    assert part.region is not None
    box = union(text.box for text in texts)
    region: Region = replace(part.region, box=box, rows=tuple(y for y in part.region.rows if box[1] < y < box[3]))
    return replace(part, texts=sorted(texts, key=lambda text: text.index), box=box, region=region)
