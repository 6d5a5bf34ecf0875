"""Small tables of two columns without rules or header, such as dates and events. The layout models see list items."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.models import PAIRS, Region
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text, rows_of

_LEAST = 3  # rows of two cells
_MARKER = 4  # characters: a column of texts so short has the markers of list items, such as "(iv)"
_LONGEST = 30  # characters of a cell at the left: longer ones are columns of running text
# in sizes of type
_EDGE = 0.5  # cells of a column begin at the same place but for so much
_WHITE = 0.8  # between the columns, at least
_NEAR = 1.5  # between two list items of one table, one below the other, at most
_BESIDE = 3.0  # the same, side by side


def with_pairs(parts: Sequence[Part], is_marked: Callable[[Text], bool]) -> list[Part]:
    """The parts; list items, or the lines of a paragraph, that stand in two columns are a table.

    `is_marked` says whether a line begins with the marker of a list item.
    """
    found: list[Part] = []
    for group in _groups(parts):
        texts = [text for part in group for text in part.texts]
        table = None if any(map(is_marked, texts)) else _table(texts)
        found += group if table is None else [table]
    return found


def _groups(parts: Sequence[Part]) -> list[list[Part]]:
    """Each part alone, but list items that are near each other together."""
    groups: list[list[Part]] = []
    for part in parts:
        if part.kind is not BlockKind.LIST_ITEM:
            groups.append([part])
            continue
        near = [group for group in groups if any(_touch(part, other) for other in group)]
        groups = [group for group in groups if group not in near] + [[p for group in near for p in group] + [part]]
    return groups


def _touch(part: Part, other: Part) -> bool:
    """Whether two parts are list items and near each other."""
    if other.kind is not BlockKind.LIST_ITEM:
        return False
    (left, top, right, bottom), (left2, top2, right2, bottom2) = part.box, other.box
    across, down = max(left, left2) - min(right, right2), max(top, top2) - min(bottom, bottom2)
    return (down < 0 and across < _BESIDE * part.size) or (across < 0 and down < _NEAR * part.size)


def _table(texts: Sequence[Text]) -> Part | None:
    """The table that lines make; None if they do not stand in two columns."""
    rows = rows_of(texts)
    full = [row for row in rows if len(row) > 1]
    if len(full) < _LEAST or 2 * len(full) < len(rows) or any(len(row) > 2 for row in rows):
        return None
    size = max(text.size for text in texts)
    lefts = [[row[column].box[0] for row in full] for column in (0, 1)]
    if any(max(edges) - min(edges) > _EDGE * size for edges in lefts):
        return None
    between = min(lefts[1])
    first = [text for text in texts if text.box[0] < between - _EDGE * size]
    if not first:  # the lines lie one upon the other, as where two pages lie askew on one scan
        return None
    end = max(text.box[2] for text in first)
    longest = max(len(text.text) for text in first)
    if between - end < _WHITE * size or not _MARKER < longest <= _LONGEST:
        return None
    heights = tuple((max(t.box[3] for t in a) + min(t.box[1] for t in b)) / 2 for a, b in pairwise(rows))
    box = union(text.box for text in texts)
    region = Region(PAIRS, box, tuple(text.box for text in texts), heights, ((end + between) / 2,))
    return Part(BlockKind.TABLE, sorted(texts, key=lambda text: text.index), box, region)
