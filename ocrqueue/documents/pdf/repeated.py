"""Text that is printed twice at nearly the same place, as a shadow or for bold type, perhaps in other pieces."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ocrqueue.documents.pdf.boxes import Array

_NEAR = 0.25  # of the height of a line: its second print is so far away at most


def repeated(texts: Sequence[str], sides: Array, directions: Sequence[tuple[float, float]]) -> set[int]:
    """The indexes of lines of which each character was printed before at nearly the same place.

    `sides` are left, top, right and bottom of all characters, each in coordinates of its line; spaces stand for those
    that are not visible.
    """
    ends = np.cumsum([0, *map(len, texts)])
    starts = ends[:-1]
    lefts = np.minimum.reduceat(sides[:, 0], starts)
    rights = np.maximum.reduceat(sides[:, 2], starts)
    tops, heights = sides[starts, 1], sides[starts, 3] - sides[starts, 1]
    order = np.argsort(tops, kind="stable")
    lefts, rights, tops, heights = lefts[order], rights[order], tops[order], heights[order]
    pairs: dict[int, list[int]] = {}  # by line: the lines printed before it at its place
    for step in range(1, len(texts)):
        is_near = tops[step:] - tops[:-step] < _NEAR * heights[:-step]
        if not is_near.any():
            break
        shared = np.minimum(rights[step:], rights[:-step]) - np.maximum(lefts[step:], lefts[:-step])
        for place in (is_near & (shared > 0)).nonzero()[0].tolist():
            one, other = sorted((int(order[place]), int(order[place + step])))
            if directions[one] == directions[other]:
                pairs.setdefault(other, []).append(one)
    spans = list(pairwise(ends.tolist()))
    gone: set[int] = set()
    for line in sorted(pairs):
        earlier = [other for other in pairs[line] if other not in gone]
        if _are_there(texts[line], sides[slice(*spans[line])], [(texts[i], sides[slice(*spans[i])]) for i in earlier]):
            gone.add(line)
    return gone


def _are_there(text: str, sides: Array, others: Sequence[tuple[str, Array]]) -> bool:
    """Whether each character of a line is also one of other lines, at nearly the same place."""
    places: dict[str, list[float]] = {}
    for other, own in others:
        for char, left in zip(other, own[:, 0].tolist(), strict=True):
            places.setdefault(char, []).append(left)
    found = False
    for char, (left, top, _, bottom) in zip(text, sides.tolist(), strict=True):
        if not char.isspace():
            near = _NEAR * (bottom - top)
            if not any(abs(left - other) < near for other in places.get(char, ())):
                return False
            found = True
    return found
