"""Rows: pieces side by side at one height, from left to right."""

import math
from collections.abc import Sequence

from ocrqueue.layout.pieces import Piece

Row = list[Piece]
_NEAR = 0.5  # times the smaller of two sizes: pieces whose middles are at most so far apart are in one row
_DRIFT = 1.0  # times the size of a row's first piece: its last may be so much higher or lower, on curved paper
_OVER = 0.5  # share of the width of the narrower piece: if two pieces overlap by more, one is below the other
_LOOK_BACK = 12  # pieces of a row with which a new piece is compared: bounds the time for rows of thousands


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
    """Whether two pieces are at the same height."""
    return abs(a.middle - b.middle) <= _NEAR * min(a.size, b.size)


def _belongs(piece: Piece, row: Row) -> bool:
    """Whether a piece is in a row: at its height, and not below or above one of its pieces."""
    if abs(piece.middle - row[0].middle) > _DRIFT * row[0].size:
        return False
    nearest, least = row[0], math.inf
    for other in row[-_LOOK_BACK:]:
        if _is_over(piece, other):
            return False
        distance = max(piece.left - other.right, other.left - piece.right)
        if distance < least:
            nearest, least = other, distance
    return beside(piece, nearest)


def _is_over(a: Piece, b: Piece) -> bool:
    """Whether one piece is above the other: they share much of their width."""
    shared = min(a.right, b.right) - max(a.left, b.left)
    return shared > _OVER * max(min(a.width, b.width), 1.0)
