"""Reading order: blocks of rows, each block read before the next."""

from collections.abc import Iterator, Sequence
from statistics import median

from ocrqueue.layout.columns import part
from ocrqueue.layout.pieces import Piece
from ocrqueue.layout.rows import Row, rows_of
from ocrqueue.layout.splitting import Splitter

Block = list[Row]
_DEEPEST = 24  # columns within columns; pages of print have three or four
_FURNITURE = 0.8  # sizes of white that part a running head or foot from the text
_FURNITURE_ROWS = 2
_FURNITURE_LENGTH = 120  # characters


def blocks_of(pieces: Sequence[Piece], splitter: Splitter) -> list[Block]:
    """The blocks of a page in reading order."""
    rows = rows_of(pieces)
    if not rows:
        return []
    size = median(piece.size for piece in pieces)
    head = _furniture(rows, size)
    foot = _furniture(rows[head:][::-1], size, below=True)
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


def _furniture(rows: Sequence[Row], size: float, *, below: bool = False) -> int:
    """How many of the outermost rows are a running head or foot: short, and apart from the rest."""
    for count in range(min(_FURNITURE_ROWS, len(rows) - 1), 0, -1):
        outer = [piece for row in rows[:count] for piece in row]
        rest = [piece for row in rows[count : count + 6] for piece in row]
        gap = _gap(rest, outer) if below else _gap(outer, rest)
        if gap > _FURNITURE * size and sum(len(p.line.text) for p in outer) <= _FURNITURE_LENGTH:
            return count
    return 0


def _gap(upper: Sequence[Piece], lower: Sequence[Piece]) -> float:
    return min(p.top for p in lower) - max(p.bottom for p in upper)
