"""Columns: finds the gutter of a region of a page, although headings, insets and joined lines may cross it.

Each piece is left of the gutter, right of it, or crosses it. Crossing pieces with nothing beside them (headings, text
of the full width) separate the region into bands. A band with enough lines of text on both sides consists of columns;
pieces that cross the gutter inside it are insets (captions, quotations). Method: a recursive XY-cut (Nagy and Seth,
"Hierarchical representation of optically scanned documents", ICPR 1984) that tolerates crossing lines.
"""

import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from statistics import median

from ocrqueue.layout.pieces import Piece
from ocrqueue.layout.rows import beside
from ocrqueue.layout.splitter import Splitter

# "Size" is the size of a piece or, for a region, the median of its pieces: about the font size, in pixels.
_SHRINK = 0.5  # sizes: pieces are shortened by so much at both ends, because boxes are too long and gutters narrow
_CANDIDATES = 8  # possible gutters of a region that are examined
_FEWEST = 3  # lines of a column, at least
_TEXT_WIDTH = 8.0  # sizes: width of a line of running text, at least
_IN_LONG_LINES = 0.6  # share of the characters of running text that are in such lines, at least
_MANY = 8  # lines of running text: so many are hardly cells of a table
_FILLED = 0.6  # share of the lines of a paragraph that end at its right edge, at least
_GOING_ON = 0.7  # share of the lines of prose after the first that begin with a small letter, at least
_ALIGNED = 0.3  # share of a side's lines: if so many are level with a line of the other side, they make rows
_ALIGNED_TEXT = 0.6  # the same beside running text, which has lines at almost any height
_LEVEL = 0.2  # sizes: lines whose middles are at most so far apart are level
_SHIFTED = 0.4  # sizes: lines of one row may be so far apart in height, if all rows are printed so
_ALL_SHIFTED = 0.9  # share of a side's lines that are so, at least
_FAR = 1e9  # pixels: beyond any page
_INSETS = 0.15  # share of the lines of both sides: with more insets, the strip is not a gutter
_SAMPLE = 40  # characters of a line that are examined
_COLONS = (":", "：")  # end a label, such as "Name:"; few lines of running text end with one
_LETTERS = 0.5  # share of the characters of running text that are letters, at least
_SAME_SIZE = 1.5  # sizes: a crossing piece of at most this size may be two joined lines of the columns
_GAP = 0.6  # sizes: least white between columns and a heading above or below them


Edges = tuple[float, float]  # left and right edges, in coordinates of the layout


@dataclass(slots=True)
class Band:
    """A part of a region between two heights: either pieces to be read together, or two columns."""

    whole: list[Piece] = field(default_factory=list)  # empty for columns
    left: list[Piece] = field(default_factory=list)
    right: list[Piece] = field(default_factory=list)
    insets: list[Piece] = field(default_factory=list)  # pieces across the gutter, read after the columns

    @property
    def is_columns(self) -> bool:
        """Whether this band is two columns."""
        return bool(self.left)


def part(pieces: Sequence[Piece], splitter: Splitter) -> list[Band] | None:
    """The bands of a region at its best gutter, from top to bottom; None if it has no gutter.

    `pieces` is sorted by the heights of their middles, and so are the pieces of each band. Each band has fewer pieces
    than the region, or is two columns. The best gutter has most lines in columns; each inset counts as minus two.
    """
    if len(pieces) < 2 * _FEWEST:
        return None
    size = median(piece.size for piece in pieces)
    best: tuple[int, list[Band]] | None = None
    cores = [_core(piece) for piece in pieces]
    for gutter in _candidates(cores, pieces, size):
        sides = _sides(pieces, cores, gutter, size, splitter)
        least = best[0] if best else 0
        if min(len(sides.left), len(sides.right)) < _FEWEST or len(sides.left) + len(sides.right) <= least:
            continue  # no bands of these sides can have a higher score
        bands = _bands(sides)
        score = sum(len(b.left) + len(b.right) - 2 * len(b.insets) for b in bands if b.is_columns)
        if score > least:
            best = score, bands
    return best[1] if best else None


def _candidates(cores: Sequence[Edges], pieces: Sequence[Piece], size: float) -> list[Edges]:
    """Left and right edges of vertical strips that fewer pieces cross than their surroundings; the best first.

    A sweep from left to right counts the pieces that begin and end. A strip is good if few pieces cross it, and many
    begin and end at it. `cores` are those of `pieces`.
    """
    events = [(left, 1) for left, _ in cores]  # x, and 1 where a piece begins or -1 where it ends
    events += [(right, -1) for _, right in cores]
    events.sort()
    found: list[tuple[int, float, float]] = []  # number of crossing pieces, left, right
    crossing = 0
    for (x, step), (following, next_step) in pairwise(events):
        crossing += step
        if step < 0 and next_step > 0:
            found.append((crossing, x, following))
    lefts = sorted(piece.left for piece in pieces)
    rights = sorted(piece.right for piece in pieces)

    def weight(strip: tuple[int, float, float]) -> int:
        """How many pieces begin at the strip, or how many end at it: the smaller number."""
        _, left, right = strip
        begin = bisect(lefts, right + size) - bisect(lefts, left - size)
        end = bisect(rights, right + size) - bisect(rights, left - size)
        return min(begin, end)

    found = [strip for strip in found if weight(strip) >= 1]
    found.sort(key=lambda strip: (strip[0] - weight(strip), strip[1]))
    return [(left, right) for _, left, right in found[:_CANDIDATES]]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The pieces of a region by their position at a gutter, each list sorted by the heights of their middles."""

    left: list[Piece]
    right: list[Piece]
    across: list[Piece]


def _sides(pieces: Sequence[Piece], cores: Sequence[Edges], gutter: Edges, size: float, splitter: Splitter) -> _Sides:
    """The pieces at a gutter. Crossing pieces that are two joined lines are split. `cores` are those of `pieces`."""
    left, right = gutter
    sides = _Sides([], [], [])
    x = (left + right) / 2
    across: list[Piece] = []
    lists = {-1: sides.left, 0: across, 1: sides.right}
    for piece, core in zip(pieces, cores, strict=True):
        lists[_side(core, x)].append(piece)
    whole = len(sides.left)
    begin = min((piece.left for piece in sides.left), default=0.0)
    end = max((piece.right for piece in sides.right), default=0.0)
    for piece in across:
        halves = None
        if piece.size <= _SAME_SIZE * size and begin - piece.size <= piece.left and piece.right <= end + piece.size:
            halves = splitter.split(piece, left, right)
        if halves and _side(_core(halves[0]), x) < 0 < _side(_core(halves[1]), x):
            sides.left.append(halves[0])
            sides.right.append(halves[1])
        else:
            sides.across.append(piece)
    if len(sides.left) > whole:
        sides.left.sort(key=_middle)
        sides.right.sort(key=_middle)
    return sides


def _core(piece: Piece) -> Edges:
    """Left and right edges of a piece, shortened at both ends. A letter alone may be a cell below "Size"."""
    text = piece.line.text
    shrink = min(_SHRINK * piece.size, piece.width / (4 if len(text) == 1 and text.isalpha() else 2))
    return piece.left + shrink, piece.right - shrink


def _side(core: Edges, x: float) -> int:
    """-1 if a piece is left of x, 1 if it is right of x, 0 if it crosses x. `core` is that of the piece."""
    if core[1] <= x:
        return -1
    return 1 if core[0] >= x else 0


def _bands(sides: _Sides) -> list[Band]:
    """The region, separated into bands by crossing pieces that have nothing beside them, from top to bottom."""
    insets, separators = _insets(sides)
    bands: list[Band] = []
    heights = [piece.middle for piece in separators]
    if insets and (head := _running_head(sides, insets[0])):
        heights.insert(0, head)
        separators.insert(0, insets.pop(0))
    runs = zip(_cut(sides.left, heights), _cut(sides.right, heights), _cut(insets, heights), strict=True)
    for index, (left, right, across) in enumerate(runs):
        if index:
            bands.append(Band([separators[index - 1]]))
        bands += _band(left, right, across, index > 0, index < len(separators))
    return _joined(bands)


def _insets(sides: _Sides) -> tuple[list[Piece], list[Piece]]:
    """The crossing pieces with a line of a column beside them, and those without."""
    beside_them: list[Piece] = []
    alone: list[Piece] = []
    columns = [(side, [p.middle for p in side]) for side in (sides.left, sides.right)]
    for piece in sides.across:
        near = any(_has_beside(piece, side, middles) for side, middles in columns)
        (beside_them if near else alone).append(piece)
    return beside_them, alone


def _running_head(sides: _Sides, inset: Piece) -> float | None:
    """The height below which the columns begin, if this inset and the pieces beside it are a row above all others."""
    pieces = [piece for piece in (*sides.left, *sides.right, *sides.across) if piece is not inset]
    row = [inset, *(piece for piece in pieces if beside(inset, piece))]
    begin = min((piece.top for piece in pieces if not beside(inset, piece)), default=-math.inf)
    return max(piece.middle for piece in row) if begin - inset.bottom > _GAP * inset.size else None


def _has_beside(piece: Piece, side: Sequence[Piece], middles: Sequence[float]) -> bool:
    """Whether one of the nearest pieces of a side is at the height of `piece`. `middles` are those of `side`."""
    at = bisect(middles, piece.middle)
    for other in side[max(at - 2, 0) : at + 2]:  # noqa: SIM110 - `any` takes twice as long
        if beside(piece, other):
            return True
    return False


def _cut(pieces: Sequence[Piece], heights: Sequence[float]) -> Iterator[list[Piece]]:
    """The pieces above the first height, then those down to the second height, and so on. Both lists are sorted."""
    start = 0
    middles = [piece.middle for piece in pieces]
    for height in heights:
        end = bisect(middles, height, start)
        yield list(pieces[start:end])
        start = end
    yield list(pieces[start:])


def _band(
    left: list[Piece], right: list[Piece], insets: list[Piece], has_above: bool, has_below: bool
) -> Iterator[Band]:
    """The bands of one run between separators: columns, with headings above and below them; or one whole band."""
    above: list[Piece] = []
    below: list[Piece] = []
    if left and right:
        left, tail = _tail(left, right) if has_below else (left, [])
        right, rest = _tail(right, left) if has_below and not tail else (right, [])
        below = tail + rest
        above, right = _head(right, left) if has_above else ([], right)
    if are_columns(left, right, insets):
        if above:
            yield Band(above)
        yield Band([], left, right, insets)
        if below:
            yield Band(below)
    elif whole := sorted([*above, *left, *right, *insets, *below], key=_middle):
        yield Band(whole)


def _tail(side: list[Piece], other: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """A side, divided at a gap below the end of the other side: the column, and a heading of what follows it."""
    end = max(p.bottom for p in other)
    for i in range(len(side) - 1, 0, -1):
        if side[i].middle < end:
            break
        if side[i].top - max(p.bottom for p in side[max(i - 3, 0) : i]) > _GAP * side[i].size:
            return side[:i], side[i:]
    return side, []


def _head(side: list[Piece], other: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """A side, divided at a gap above the beginning of the other side: a heading, and the column."""
    begin = min(p.top for p in other)
    for i in range(len(side) - 1):
        if side[i].middle > begin:
            break
        if min(p.top for p in side[i + 1 : i + 4]) - side[i].bottom > _GAP * side[i].size:
            return side[: i + 1], side[i + 1 :]
    return [], side


def _joined(bands: Sequence[Band]) -> list[Band]:
    """The bands; neighbours that are not columns are joined."""
    joined: list[Band] = []
    for band in bands:
        if joined and not band.is_columns and not joined[-1].is_columns:
            joined[-1].whole += band.whole
        else:
            joined.append(band)
    for band in joined:
        band.whole.sort(key=_middle)
    return joined


def are_columns(left: Sequence[Piece], right: Sequence[Piece], insets: Sequence[Piece] = ()) -> bool:
    """Whether two sides are columns, read one after the other, and not a table or a receipt, read row by row."""
    if min(len(left), len(right)) < _FEWEST or len(insets) > _INSETS * (len(left) + len(right)):
        return False
    shared = min(left[-1].bottom, right[-1].bottom) - max(left[0].top, right[0].top)
    if shared <= min(left[0].size, right[0].size):
        return False
    running = [side for side in (left, right) if _is_running_text(side)]
    if len(running) > 1 and all(len(side) >= _MANY or _is_filled(side) or _is_prose(side) for side in running):
        return True
    has_text = any(len(side) >= _MANY and (_is_filled(side) or _is_prose(side)) for side in running)
    limit = _ALIGNED_TEXT if has_text else _ALIGNED
    return _aligned(left, right) < limit and _aligned(right, left) < limit


def _is_filled(side: Sequence[Piece]) -> bool:
    """Whether most lines end at the right edge, as in a paragraph; the lines of table cells do not."""
    edge = max(piece.right for piece in side)
    return sum(edge - piece.right < piece.size for piece in side) >= _FILLED * len(side)


def _is_prose(side: Sequence[Piece]) -> bool:
    """Whether sentences go on from line to line: cells of a table begin with a capital letter or a number."""
    following = side[1:]
    return sum(piece.line.text[:1].islower() for piece in following) >= _GOING_ON * len(following)


def _is_running_text(side: Sequence[Piece]) -> bool:
    """Whether most of the text is in long lines, and these consist of letters rather than digits. Labels are none."""
    if sum(piece.line.text.endswith(_COLONS) for piece in side) > len(side) / 2:
        return False
    samples = [(piece.line.text[:_SAMPLE], piece.width >= _TEXT_WIDTH * piece.size) for piece in side]
    length = sum(len(text) for text, _ in samples)
    long = [text for text, is_long in samples if is_long]
    long_length = sum(map(len, long))
    return long_length >= _IN_LONG_LINES * length and sum(map(_letters, long)) >= _LETTERS * long_length


@lru_cache(1024)  # the same lines are examined at several gutters
def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _aligned(side: Sequence[Piece], other: Sequence[Piece]) -> float:
    """The share of a side's pieces that are level with a piece of the other side.

    All may be a little higher or lower than those, as in a table whose columns are printed so.
    """
    middles = [-_FAR, *(piece.middle for piece in other), _FAR]
    away: list[float] = []  # from the nearest piece of the other side, in sizes
    for piece in side:
        at = bisect(middles, piece.middle)
        above, below = middles[at - 1] - piece.middle, middles[at] - piece.middle
        away.append((below if below < -above else above) / piece.size)
    near = [one for one in away if abs(one) <= _SHIFTED]
    if len(near) >= _ALL_SHIFTED * len(side) and max(near) - min(near) <= 2 * _LEVEL:
        return len(near) / len(side)
    return sum(abs(one) <= _LEVEL for one in away) / len(side)


def _middle(piece: Piece) -> float:
    return piece.middle
