"""Lines that an engine joined across the narrow gutter between two columns.

One line alone does not show such a gutter: it is hardly wider than the white between words. But many rows below each
other have white at the same place. Text of the full width has that in few rows: in at most 8, on some 600 pages. Where
columns are further apart, engines find their lines separately.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ocrqueue.layout.gaps import Gap, divided, gaps_between
from ocrqueue.layout.pieces import Frame, Piece
from ocrqueue.layout.rows import Row, rows_of
from ocrqueue.states import Origin

# "Size" is the size of a piece: about 1.3 times its font size, in pixels.
_ROWS = 12  # a gutter has text on both sides in so many rows
_JOINED = 4  # rows with one line for both sides: fewer count between others only, whose lines are apart
_SIDE = 5.0  # sizes: length of the text on a side, so that bullets, numbers and labels do not count
_NARROW = 2.0  # sizes: two lines that are further apart do not show that the gutter is narrow
_SPACE = 0.15  # sizes: white between two words, at least
_LETTERS = 0.4  # sizes: the same between two characters without a space, in Chinese and Japanese
_ROOM = 0.1  # sizes: edges of words are inaccurate by so much
_LONGER = 0.5  # sizes: lines are longer than their text by so much at most
_FAR = 1e9  # pixels: beyond any page


class _White(NamedTuple):
    """A white part of a row of the page."""

    left: float
    right: float
    is_between: bool = False  # whether text of some length is on both sides
    is_joined: bool = False  # whether this text is one line


class _Strip(NamedTuple):
    """A vertical strip that is white from its first row to its last one."""

    left: float
    right: float
    first: int  # index of the first row with text of some length on both sides
    last: int  # index of the last one
    rows: int  # number of such rows
    joined: int  # number of them whose text is one line
    apart: tuple[int, int] | None  # first and last of those whose text is two lines


def separated(pieces: Sequence[Piece], frame: Frame) -> list[Piece]:
    """The pieces, in which lines that an engine joined across a gutter are divided. They keep their order."""
    if frame.vertical or not any(piece.line.words and piece.line.origin == Origin.OCR for piece in pieces):
        return list(pieces)  # the text layer of a PDF has its columns apart
    rows = rows_of(pieces)
    gaps = {id(piece): _gaps(piece, frame) for piece in pieces}
    cuts: dict[int, list[Gap]] = defaultdict(list)
    for strip in _gutters([_white(row, gaps) for row in rows]):
        for piece in (piece for row in rows[strip.first : strip.last + 1] for piece in row):
            room = _ROOM * piece.size
            near = [gap for gap in gaps[id(piece)] if gap.left - room < strip.right and strip.left < gap.right + room]
            if near:
                cuts[id(piece)].append(max(near, key=lambda gap: gap.width))
    return [part for piece in pieces for part in _parts(piece, cuts[id(piece)], frame)]


def _gaps(piece: Piece, frame: Frame) -> list[Gap]:
    """The gaps of a piece at which it may be divided."""
    text, found = piece.line.text, gaps_between(piece.line, frame, _SPACE * piece.size)
    return [gap for gap in found if text[gap.offset - 1].isspace() or gap.width >= _LETTERS * piece.size]


def _white(row: Row, gaps: dict[int, list[Gap]]) -> list[_White]:
    """The white parts of a row, from left to right. `gaps` are those of each piece, by its id."""
    longer = _LONGER * row[0].size
    found = [_White(-_FAR, row[0].left + longer), _White(max(piece.right for piece in row) - longer, _FAR)]
    for piece in row:
        room, side = _ROOM * piece.size, _SIDE * piece.size
        for gap in gaps[id(piece)]:
            is_between = min(gap.left - piece.left, piece.right - gap.right) >= side
            found.append(_White(gap.left - room, gap.right + room, is_between, is_between))
    for one, other in pairwise(row):
        left, right = sorted((one.right, other.left))  # boxes are too long, and may overlap
        is_between = min(one.width, other.width) >= _SIDE * one.size and right - left < _NARROW * one.size
        found.append(_White(left - _ROOM * one.size, right + _ROOM * one.size, is_between))
    return sorted(found)


def _gutters(rows: Sequence[list[_White]]) -> list[_Strip]:
    """The gutters of a page, by the white parts of its rows from top to bottom."""
    ended: list[_Strip] = []
    live: list[_Strip] = []  # white down to the row before; the first ones begin first
    for index, row in enumerate(rows):
        following: dict[tuple[float, float], _Strip] = {}  # by sides: of equal ones, the first has most rows
        for strip in live:
            longer = [_longer(strip, white, index) for white in row if _overlap(strip, white)]
            for one in longer:
                following.setdefault(one[:2], one)
            if not longer:
                ended.append(strip)
        for white in row:
            if white.is_between:
                following.setdefault(white[:2], _begun(white, index))
        live = list(following.values())
    found: list[_Strip] = []
    for strip in sorted(ended + live, key=lambda strip: strip.rows, reverse=True):
        is_new = not any(_overlap(strip, other) and _share_rows(strip, other) for other in found)
        if is_new and strip.rows >= _ROWS:
            found.append(_trimmed(strip))
    return found


def _begun(white: _White, index: int) -> _Strip:
    """The strip that begins with a white part of the row with this index, between texts."""
    apart = None if white.is_joined else (index, index)
    return _Strip(white.left, white.right, index, index, 1, white.is_joined, apart)


def _longer(strip: _Strip, white: _White, index: int) -> _Strip:
    """The strip, continued through a white part of the row with this index."""
    left, right = max(strip.left, white.left), min(strip.right, white.right)
    if not white.is_between:
        return strip._replace(left=left, right=right)
    apart = strip.apart if white.is_joined else (strip.apart[0] if strip.apart else index, index)
    return _Strip(left, right, strip.first, index, strip.rows + 1, strip.joined + white.is_joined, apart)


def _trimmed(strip: _Strip) -> _Strip:
    """The strip without its ends, if few rows were joined: those at an end may be text of the full width."""
    if strip.joined >= _JOINED or strip.apart is None:
        return strip
    return strip._replace(first=strip.apart[0], last=strip.apart[1])


def _overlap(one: _Strip | _White, other: _Strip | _White) -> bool:
    """Whether two strips or white parts share some of their width."""
    return one.left < other.right and other.left < one.right


def _share_rows(one: _Strip, other: _Strip) -> bool:
    """Whether two strips have a row in common."""
    return one.first <= other.last and other.first <= one.last


def _parts(piece: Piece, gaps: Sequence[Gap], frame: Frame) -> list[Piece]:
    """The parts of a piece between some of its gaps, from left to right."""
    parts = [piece]
    for gap in sorted(set(gaps), key=lambda gap: gap.left, reverse=True):
        parts[:1] = divided(parts[0], gap, frame) or parts[:1]
    return parts
