"""The order in which the parts of a page are read: columns one after the other, interrupted by what crosses them.

A recursive XY-cut (Nagy and Seth, "Hierarchical representation of optically scanned documents", ICPR 1984) over the
parts instead of the lines. Where no cut is possible, the order of the lines decides.
"""

from collections.abc import Sequence
from itertools import pairwise

from ocrqueue.blocks import BlockKind
from ocrqueue.structure.parts import Part

_GUTTER = 4.0  # points: white between columns, at least
_SHRINK = 0.5  # sizes of type: boxes of lines that were read are too long by so much at each end, at most
_TURNS = 2  # lines that are on the other side of a gutter than the line before: so many are rows, not two columns
_RUNNING = 3  # lines of a part of running text, at least
_OVERLAP = 2.0  # points by which the boxes of parts above each other may overlap
_LEADING, _TRAILING = BlockKind.PAGE_HEADER, (BlockKind.FOOTNOTE, BlockKind.PAGE_FOOTER)


def in_order(parts: Sequence[Part]) -> list[Part]:
    """The parts in reading order: running heads first, then the body, notes and running feet last."""
    body = [part for part in parts if part.kind is not _LEADING and part.kind not in _TRAILING]
    heads = [part for part in parts if part.kind is _LEADING]
    ends = [part for kind in _TRAILING for part in _by_lines([p for p in parts if p.kind is kind])]
    return _by_lines(heads) + _cut(body) + ends


def _by_lines(parts: Sequence[Part]) -> list[Part]:
    """The parts in the order of their first lines."""
    return sorted(parts, key=lambda part: (part.first, part.box[1]))


def _cut(parts: Sequence[Part]) -> list[Part]:
    """The parts of a region in reading order."""
    if len(parts) < 2:
        return list(parts)
    gutter = max(_gutters(parts), key=lambda gap: gap[1] - gap[0], default=None)
    if gutter:
        x = sum(gutter) / 2
        left, right = [p for p in parts if _middle(p) <= x], [p for p in parts if _middle(p) > x]
        return _by_lines(parts) if _are_rows(left, right) else _cut(left) + _cut(right)
    bands = _bands(parts)
    return [part for band in bands for part in _cut(band)] if len(bands) > 1 else _by_lines(parts)


def _gutters(parts: Sequence[Part]) -> list[tuple[float, float]]:
    """The vertical strips without any part, between the leftmost and the rightmost part."""
    return _gaps([_width_of(part) for part in parts], _GUTTER)


def _width_of(part: Part) -> tuple[float, float]:
    """Where a part begins and ends across the page."""
    left, _, right, _ = part.box
    is_read = any(text.is_bold is None for text in part.texts)
    shrink = min(_SHRINK * part.size, (right - left) / 4) if is_read else 0.0
    return left + shrink, right - shrink


def _middle(part: Part) -> float:
    return (part.box[0] + part.box[2]) / 2


def _are_rows(left: Sequence[Part], right: Sequence[Part]) -> bool:
    """Whether both sides of a gutter are read row by row, as in a receipt: their lines are, and few of them run on."""
    sides = sorted((text.index, side) for side, parts in enumerate((left, right)) for p in parts for text in p.texts)
    turns = sum(one[1] != other[1] for one, other in pairwise(sides))
    running = sum(len(part.texts) for part in (*left, *right) if len(part.texts) >= _RUNNING)
    return turns >= _TURNS and 2 * running < len(sides)


def _gaps(spans: Sequence[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """The gaps of more than `least` between spans."""
    found = []
    end: float | None = None
    for low, high in sorted(spans):
        if end is not None and low - end > least:
            found.append((end, low))
        end = high if end is None else max(end, high)
    return found


def _bands(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts in bands from top to bottom. Neighbours in which the same columns go on are one band."""
    cuts = [sum(gap) / 2 for gap in _gaps([(part.box[1], part.box[3]) for part in parts], -_OVERLAP)]
    bands: list[list[Part]] = []
    for top, bottom in pairwise([float("-inf"), *cuts, float("inf")]):
        band = [part for part in parts if top < (part.box[1] + part.box[3]) / 2 <= bottom]
        if band and bands and _go_on(bands[-1], band):
            bands[-1] += band
        elif band:
            bands.append(band)
    for above, below in pairwise(bands):
        _give_headings(above, below)
    return [band for band in bands if band]


def _give_headings(above: list[Part], below: list[Part]) -> None:
    """Move the headings that end a band to the next one, which they belong to, unless a column goes on there."""
    if _gutters(below):
        return
    while above:
        last = max(above, key=lambda part: part.box[1])
        others = [part.box[3] for part in above if part is not last]
        if last.kind is not BlockKind.HEADING or last.box[1] < max(others, default=last.box[3]) - _OVERLAP:
            return
        above.remove(last)
        below.append(last)


def _go_on(above: Sequence[Part], below: Sequence[Part]) -> bool:
    """Whether two bands have columns in common, and at least one of them has two columns side by side."""
    return bool(_gutters([*above, *below])) and bool(_gutters(above) or _gutters(below))
