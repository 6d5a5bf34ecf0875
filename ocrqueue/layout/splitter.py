"""Splits a line that an engine found across the gutter between two columns."""

from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ocrqueue.geometry import point_between
from ocrqueue.layout.pieces import Frame, Piece, piece_of, placed_bounds, placed_edges
from ocrqueue.pages import Line
from ocrqueue.states import Origin

if TYPE_CHECKING:
    from PIL.Image import Image

_RULES = frozenset("|│┃¦‖")  # how a recogniser reads the rule that is printed between columns
_WIDER = 1.5  # times the median gap between words of the line: a gap between columns is at least so wide ...
_WIDE = 0.4  # ... and at least so many times the size of the line
_WIDE_ALONE = 0.8  # times the size of the line: the same if the line has too few gaps for a median
_ENOUGH = 3  # gaps between words for a median
_REACH = 1.0  # times the size of the line: the gap may be so far to the left or right of the gutter
_INK = 0.5  # between paper (0) and the darkest pixels (1): darker is ink


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


class Splitter:
    """Splits lines of one page, and remembers the gaps of each line."""

    def __init__(self, frame: Frame, image: "Image | None" = None) -> None:
        self._frame = frame
        self._image = image
        self._seen: dict[int, tuple[Line, list[Gap]]] = {}  # by `id(line)`; keeping the line keeps its id unique

    def split(self, piece: Piece, left: float, right: float) -> tuple[Piece, Piece] | None:
        """Both parts of a piece that has a gap at the gutter from `left` to `right`; None if it has none there.

        The gap has to be wider than other gaps between words. If the engine gave no words, gaps are white columns of
        the page image.
        """
        if self._frame.vertical:
            return None
        if id(piece.line) not in self._seen:
            self._seen[id(piece.line)] = piece.line, self._wide_gaps(piece)
        gaps = self._seen[id(piece.line)][1]
        reach = _REACH * piece.size
        begin, end = left - reach, right + reach
        near = [gap for gap in gaps if begin <= gap.middle <= end]
        return _divide(piece, max(near, key=lambda gap: gap.width), self._frame) if near else None

    def _wide_gaps(self, piece: Piece) -> list[Gap]:
        """The gaps of a piece that are wide enough for a gap between columns, by its words or in the image."""
        line = piece.line
        if line.words or self._image is None or line.origin != Origin.OCR:
            return _gaps_of_words(line, self._frame, piece.size)
        gaps = _gaps_of_white(line, self._frame, piece.size, self._image)
        return [gap for gap in gaps if gap.width >= _WIDE_ALONE * piece.size]


def _divide(piece: Piece, gap: Gap, frame: Frame) -> tuple[Piece, Piece] | None:
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


def _gaps_of_words(line: Line, frame: Frame, size: float) -> list[Gap]:
    """The wide gaps between the words of a line. A printed rule between two words is part of the gap."""
    places = [i for i, word in enumerate(line.words) if not _RULES.issuperset(word.text)]
    ends = placed_edges([line.words[i].box for i in places], frame)
    widths = [left - right for (_, right), (left, _) in pairwise(ends)]
    if max(widths, default=0.0) < _WIDE * size:
        return []  # as for most lines, without a median
    least = max(_WIDE * size, _WIDER * median(widths)) if len(widths) >= _ENOUGH else _WIDE_ALONE * size
    wide = [i for i, width in enumerate(widths, 1) if width >= least]
    offsets = line.offsets() if wide else []
    return [Gap(ends[i - 1][1], ends[i][0], offsets[places[i]][1]) for i in wide if offsets]


def _gaps_of_white(line: Line, frame: Frame, size: float, image: "Image") -> list[Gap]:
    """The wide white gaps of a line in the image, each with the nearest space in the text.

    A gap that has a share of the ink before it belongs to the space that has about the same share of the characters
    before it.
    """
    import numpy as np

    left, top, right, bottom = (int(v) for v in placed_bounds(line.box, Frame()))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    spaces = [i + 1 for i, char in enumerate(line.text) if char.isspace()]
    if left >= right or top >= bottom or not spaces:
        return []
    grey = np.asarray(image.crop((left, top, right, bottom)).convert("L"), dtype=np.float32)
    dark, paper = np.percentile(grey, (1, 90))
    ink = np.flatnonzero((grey < paper - _INK * (paper - dark) - 1).any(axis=0))
    gaps = []
    for before in np.flatnonzero(np.diff(ink) > _WIDE * size):  # index of the last column of ink before a gap
        share = (before + 1) / len(ink)
        if frame.leftwards:
            share = 1 - share
        offset = min(spaces, key=lambda space: abs(space / len(line.text) - share))
        ends = ink[before : before + 2]
        start, end = sorted(frame.place((left + float(x), (top + bottom) / 2))[0] for x in ends)
        gaps.append(Gap(start + 1, end, offset))
    return gaps
