"""Reading order: a page as blocks of rows. A block is read completely before the next."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median, median_low

from ocrqueue.geometry import bounds
from ocrqueue.layout.columns import part
from ocrqueue.layout.pieces import Frame, Piece, is_note, is_upside_down, piece_of
from ocrqueue.layout.rows import Row, rows_of
from ocrqueue.layout.splitter import Splitter

Block = list[Row]
_DEEPEST = 24  # nested columns at most; printed pages have three or four levels
_FURNITURE = 0.8  # times the size of a line: least white between a running head or foot and the text
_FURNITURE_WIDER = 1.5  # times the usual white between rows: also least white; less is found within tables
_FURNITURE_ROWS = 2  # rows of a running head or foot at most
_NEAR_ROWS = 6  # rows nearest to a running head or foot, to which the white is measured
_FURNITURE_LENGTH = 120  # characters of a running head or foot at most


def blocks_of(pieces: Sequence[Piece], splitter: Splitter) -> list[Block]:
    """The blocks of a page in reading order.

    What is printed upside down comes after the rest, and is read as it is with the page turned. Notes that were turned
    come last, in the order in which they are given.
    """
    notes = [piece for piece in pieces if is_note(piece)]
    if notes:
        pieces = [piece for piece in pieces if not is_note(piece)]
    blocks: list[Block] = []
    for group, own in _by_direction(pieces, splitter):
        blocks += _level_blocks(group, own)
    return [*blocks, [[piece] for piece in notes]] if notes else blocks


def _by_direction(pieces: Sequence[Piece], splitter: Splitter) -> Iterator[tuple[Sequence[Piece], Splitter]]:
    """The lines that run like the page, and those that are upside down, in coordinates of the page turned round.

    On a page that is written downwards, level lines above all others come first, and those below them last.
    """
    if splitter.frame.vertical:
        yield from _around_columns(pieces, splitter)
        return
    if not any(is_upside_down(piece.line.box) for piece in pieces):  # as on nearly every page
        if pieces:
            yield pieces, splitter
        return
    if upright := [piece for piece in pieces if not is_upside_down(piece.line.box)]:
        yield upright, splitter
    turned = replace(splitter.frame, angle=splitter.frame.angle + math.pi)
    yield [piece_of(piece.line, turned) for piece in pieces if is_upside_down(piece.line.box)], Splitter(turned)


def _around_columns(pieces: Sequence[Piece], splitter: Splitter) -> Iterator[tuple[Sequence[Piece], Splitter]]:
    """The level lines above columns that are written downwards, such as a title; the columns; and what is below."""
    boxes = [bounds(piece.line.box) for piece in pieces]
    columns = [box for box in boxes if box[2] - box[0] <= box[3] - box[1]]
    top, bottom = min((box[1] for box in columns), default=0.0), max((box[3] for box in columns), default=0.0)
    above = [piece for piece, box in zip(pieces, boxes, strict=True) if columns and box[3] <= top]
    below = [piece for piece, box in zip(pieces, boxes, strict=True) if columns and box[1] >= bottom]
    ends = {id(piece) for piece in (*above, *below)}
    rest = [piece for piece in pieces if id(piece) not in ends]
    level = Splitter(Frame())
    for group, own in ((above, level), (rest, splitter), (below, level)):
        if group:
            yield [piece_of(piece.line, own.frame) for piece in group], own


def _level_blocks(pieces: Sequence[Piece], splitter: Splitter) -> list[Block]:
    """The blocks of lines that run like the page. There is one at least."""
    rows = rows_of(pieces)
    least = max(_FURNITURE * median(piece.size for piece in pieces), _FURNITURE_WIDER * _usual_gap(rows))
    head = _furniture(rows, least)
    foot = _furniture(rows[head:][::-1], least)
    body = [piece for row in rows[head : len(rows) - foot] for piece in row]
    body.sort(key=lambda p: (p.middle, p.left))
    blocks = [rows[:head], *_read(body, splitter, _DEEPEST), rows[len(rows) - foot :]]
    return [block for block in blocks if block]


def _read(pieces: Sequence[Piece], splitter: Splitter, depth: int) -> Iterator[Block]:
    """The blocks of a region: of its bands from top to bottom, in each band of the left column, then of the right."""
    bands = part(pieces, splitter) if depth else None
    if bands is None:
        yield rows_of(pieces)
        return
    for band in bands:
        for group in (band.whole, band.left, band.right, band.insets):
            if group:
                yield from _read(group, splitter, depth - 1)


def _furniture(rows: Sequence[Row], least: float) -> int:
    """How many of the first rows are a running head or foot: short, and more than `least` pixels from the rest."""
    for count in range(min(_FURNITURE_ROWS, len(rows) - 1), 0, -1):
        outer = [piece for row in rows[:count] for piece in row]
        rest = [piece for row in rows[count : count + _NEAR_ROWS] for piece in row]
        if _gap(outer, rest) > least and sum(len(p.line.text) for p in outer) <= _FURNITURE_LENGTH:
            return count
    return 0


def _usual_gap(rows: Sequence[Row]) -> float:
    """The median of the white between neighbouring rows in pixels; 0 for fewer than three rows, which tell nothing."""
    gaps = [_gap(a, b) for a, b in pairwise(rows)]
    return median_low(gaps) if len(gaps) > 1 else 0.0


def _gap(a: Sequence[Piece], b: Sequence[Piece]) -> float:
    """The vertical distance in pixels between two groups of pieces; negative if they overlap."""
    a_below_b = min(p.top for p in a) - max(p.bottom for p in b)
    b_below_a = min(p.top for p in b) - max(p.bottom for p in a)
    return max(a_below_b, b_below_a)
