"""Gaps between the words of a line, and lines that are divided at one."""

from dataclasses import dataclass, replace
from itertools import pairwise

from ocrqueue.geometry import point_between
from ocrqueue.layout.pieces import Frame, Piece, piece_of, placed_edges
from ocrqueue.pages import Line

_RULES = frozenset("|│┃¦‖")  # how a recogniser reads the rule that is printed between columns


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap at which a line may be split."""

    left: float  # in coordinates of the layout
    right: float
    offset: int  # index in the text of the line at which the second part begins

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def middle(self) -> float:
        """Its middle, in coordinates of the layout."""
        return (self.left + self.right) / 2


def gaps_between(line: Line, frame: Frame, least: float) -> list[Gap]:
    """The gaps between the words of a line that have at least this width. A printed rule is part of the gap."""
    places, ends = word_edges(line, frame)
    wide = [i for i, ((_, right), (left, _)) in enumerate(pairwise(ends), 1) if left - right >= least]
    offsets = line.offsets() if wide else []
    return [Gap(ends[i - 1][1], ends[i][0], offsets[places[i]][1]) for i in wide if offsets]


def word_edges(line: Line, frame: Frame) -> tuple[list[int], list[tuple[float, float]]]:
    """The indexes of the words of a line that are no printed rule, and their left and right edges."""
    places = [i for i, word in enumerate(line.words) if not _RULES.issuperset(word.text)]
    return places, placed_edges([line.words[i].box for i in places], frame)


def divided(piece: Piece, gap: Gap, frame: Frame) -> tuple[Piece, Piece] | None:
    """The parts of a piece left and right of a gap; None if one of them has no text."""
    line = piece.line
    first, second = line.text[: gap.offset].rstrip(), line.text[gap.offset :].lstrip()
    if not first or not second:
        return None
    share = (gap.middle - piece.left) / max(piece.width, 1.0)
    a, b, c, d = line.box
    if frame.leftwards:
        share = 1 - share
    above, below = point_between(a, b, share), point_between(d, c, share)
    boxes = (a, above, below, d), (above, b, c, below)
    first_box, second_box = boxes[::-1] if frame.leftwards else boxes
    lefts = [x for x, _ in placed_edges([word.box for word in line.words], frame)]
    first_words = tuple(word for word, x in zip(line.words, lefts, strict=True) if x < gap.middle)
    second_words = tuple(word for word, x in zip(line.words, lefts, strict=True) if x >= gap.middle)
    first_line = replace(line, text=first, box=first_box, words=first_words)
    second_line = replace(line, text=second, box=second_box, words=second_words)
    return piece_of(first_line, frame), piece_of(second_line, frame)
