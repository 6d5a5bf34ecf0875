"""Reading order: blocks of rows, each block read before the next."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median, median_low

from ocrqueue.layout.columns import part
from ocrqueue.layout.pieces import Piece
from ocrqueue.layout.rows import Row, rows_of
from ocrqueue.layout.splitter import Splitter

Block = list[Row]
_DEEPEST = 24  # columns within columns; pages of print have three or four
_FURNITURE = 0.8  # sizes of white that part a running head or foot from the text
_FURNITURE_WIDER = 1.5  # times the usual white between rows: less parts the rows of a table, or lines set far apart
_FURNITURE_ROWS = 2
_NEAR_ROWS = 6  # next to a running head or foot, which it must be apart from
_FURNITURE_LENGTH = 120  # characters


def blocks_of(pieces: Sequence[Piece], splitter: Splitter) -> list[Block]:
    """The blocks of a page in reading order."""
    rows = rows_of(pieces)
    if not rows:
        return []
    least = max(_FURNITURE * median(piece.size for piece in pieces), _FURNITURE_WIDER * _usual_gap(rows))
    head = _furniture(rows, least)
    foot = _furniture(rows[head:][::-1], least)
    body = [piece for row in rows[head : len(rows) - foot] for piece in row]
    body.sort(key=lambda p: (p.middle, p.left))
    blocks = [rows[:head], *_read(body, splitter, _DEEPEST), rows[len(rows) - foot :]]
    return [block for block in blocks if block]


def _read(pieces: Sequence[Piece], splitter: Splitter, depth: int) -> Iterator[Block]:
    bands = part(pieces, splitter) if depth else None
    if bands is None:
        yield rows_of(pieces)
        return
    for band in bands:
        for group in (band.whole, band.left, band.right, band.insets):
            if group:
                yield from _read(group, splitter, depth - 1)


def _furniture(rows: Sequence[Row], least: float) -> int:
    """How many of the outermost rows are a running head or foot: short, and farther from the rest than `least`."""
    for count in range(min(_FURNITURE_ROWS, len(rows) - 1), 0, -1):
        outer = [piece for row in rows[:count] for piece in row]
        rest = [piece for row in rows[count : count + _NEAR_ROWS] for piece in row]
        if _gap(outer, rest) > least and sum(len(p.line.text) for p in outer) <= _FURNITURE_LENGTH:
            return count
    return 0


def _usual_gap(rows: Sequence[Row]) -> float:
    """The white between neighbouring rows, in the middle of all such; 0 where there is but one, which tells nothing."""
    gaps = [_gap(a, b) for a, b in pairwise(rows)]
    return median_low(gaps) if len(gaps) > 1 else 0.0


def _gap(a: Sequence[Piece], b: Sequence[Piece]) -> float:
    """The white between two, whichever is the upper one; negative where they overlap."""
    return max(min(p.top for p in a) - max(p.bottom for p in b), min(p.top for p in b) - max(p.bottom for p in a))
