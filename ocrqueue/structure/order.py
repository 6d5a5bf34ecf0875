"""The order in which the parts of a page are read: columns one after the other, interrupted by what crosses them.

A recursive XY-cut (Nagy and Seth, "Hierarchical representation of optically scanned documents", ICPR 1984) over the
parts instead of the lines. Where no cut is possible, the order of the lines decides.
"""

from collections.abc import Sequence
from itertools import pairwise

from ocrqueue.blocks import BlockKind
from ocrqueue.structure.parts import Part

_GUTTER = 4.0  # points: white between columns, at least
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
        return _cut([p for p in parts if p.box[2] <= x]) + _cut([p for p in parts if p.box[2] > x])
    bands = _bands(parts)
    return [part for band in bands for part in _cut(band)] if len(bands) > 1 else _by_lines(parts)


def _gutters(parts: Sequence[Part]) -> list[tuple[float, float]]:
    """The vertical strips without any part, between the leftmost and the rightmost part."""
    return _gaps([(part.box[0], part.box[2]) for part in parts], _GUTTER)


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
    return bands


def _go_on(above: Sequence[Part], below: Sequence[Part]) -> bool:
    """Whether two bands have columns in common, and at least one of them has two columns side by side."""
    return bool(_gutters([*above, *below])) and bool(_gutters(above) or _gutters(below))
