"""Drop capitals: the large first letter of a text, which stands beside its first lines, joins the first of them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from ocrqueue.geometry import Quad
from ocrqueue.layout.pieces import Frame, Piece, piece_of

# "Size" is the size of the lines of text.
_LARGE = 1.8  # times the size: a drop capital is larger
_LINES = 2  # lines of text beside a drop capital, at least
_APART = 2.0  # sizes: the lines begin so far from the capital, at most
_OVER = 0.6  # sizes: the first line may be so much above the capital's box, at most
_CAPITAL = re.compile(r"[\"'“„«‘(]?[^\W\d_a-zß-ÿ]")
_FIRST = re.compile(r"[^\W\d_]+")


def with_capitals(pieces: Sequence[Piece], frame: Frame) -> list[Piece]:
    """The pieces, in which drop capitals are part of the first line beside them."""
    large = [piece for piece in pieces if len(piece.line.text) <= _LINES and _CAPITAL.fullmatch(piece.line.text)]
    if not large or frame.vertical:
        return list(pieces)
    found = list(pieces)
    for capital in large:
        lines = _lines_beside(capital, found)
        if len(lines) >= _LINES:
            first = found.index(lines[0])
            found[first] = _joined(capital, lines[0], frame, pieces)
            found.remove(capital)
    return found


def _lines_beside(capital: Piece, pieces: Sequence[Piece]) -> list[Piece]:
    """The lines at the right of a capital that begin at one place, from the top; none if it is no larger than they."""
    beside = [
        piece
        for piece in pieces
        if piece is not capital
        and piece.size * _LARGE < capital.bottom - capital.top
        and -piece.size < piece.left - capital.right < _APART * piece.size
        and capital.top - _OVER * piece.size < piece.middle < capital.bottom
    ]
    left = median(piece.left for piece in beside) if beside else 0.0
    return sorted((piece for piece in beside if abs(piece.left - left) < piece.size), key=lambda piece: piece.top)


def _joined(capital: Piece, line: Piece, frame: Frame, pieces: Sequence[Piece]) -> Piece:
    """The line with the capital before it."""
    letter, text = capital.line.text, line.line.text
    begin = _FIRST.match(text)
    space = " " if begin and _is_alone(letter + begin[0], begin[0], pieces) else ""
    (_, top), *_, (_, bottom) = line.line.box
    (left, _), *_, (low, _) = capital.line.box
    box: Quad = (left, top), line.line.box[1], line.line.box[2], (low, bottom)
    words = (*capital.line.words, *line.line.words) if line.line.words else ()
    return piece_of(replace(line.line, text=letter + space + text, box=box, words=words), frame)


def _is_alone(whole: str, rest: str, pieces: Sequence[Piece]) -> bool:
    """Whether a capital is a word, such as "A": the page has what follows it as a word, and not both as one."""
    words = {word.casefold() for piece in pieces for word in _FIRST.findall(piece.line.text)[1:]}
    return rest.casefold() in words and whole.casefold() not in words
