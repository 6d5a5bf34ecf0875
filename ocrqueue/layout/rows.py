"""Rows: pieces that stand side by side at one height, from left to right."""

from collections.abc import Sequence

from ocrqueue.layout.pieces import Piece

Row = list[Piece]
_NEAR = 0.5  # of the smaller of two sizes: middles no farther apart are on one row
_DRIFT = 1.0  # of a row's first piece's size: how far its last may be from the first, on curved or leaning paper
_OVER = 0.5  # of the narrower piece: what shares more of the width stands below, not beside
_LOOK_BACK = 12  # pieces of a row a new one is compared with, so that a row of thousands takes no longer


def rows_of(pieces: Sequence[Piece]) -> list[Row]:
    """The pieces in rows from top to bottom, each from left to right."""
    rows: list[Row] = []
    for piece in sorted(pieces, key=lambda p: (p.middle, p.left)):
        for row in reversed(rows[-2:]):
            if _belongs(piece, row):
                row.append(piece)
                break
        else:
            rows.append([piece])
    for row in rows:
        row.sort(key=lambda p: p.left)
    rows.sort(key=lambda row: sum(p.middle for p in row) / len(row))
    return rows


def beside(a: Piece, b: Piece) -> bool:
    """Whether two pieces are at one height."""
    return abs(a.middle - b.middle) <= _NEAR * min(a.size, b.size)


def _belongs(piece: Piece, row: Row) -> bool:
    if abs(piece.middle - row[0].middle) > _DRIFT * row[0].size:
        return False
    recent = row[-_LOOK_BACK:]
    if any(_is_over(piece, other) for other in recent):
        return False
    return beside(piece, min(recent, key=lambda other: _distance(piece, other)))


def _distance(a: Piece, b: Piece) -> float:
    return max(a.left - b.right, b.left - a.right)


def _is_over(a: Piece, b: Piece) -> bool:
    shared = min(a.right, b.right) - max(a.left, b.left)
    return shared > _OVER * max(min(a.width, b.width), 1.0)
