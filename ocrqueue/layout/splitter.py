"""Splits a line that an engine found across the gutter between two columns."""

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ocrqueue.layout.gaps import Gap, divided, gaps_between, word_edges
from ocrqueue.layout.pieces import Frame, Piece, placed_bounds
from ocrqueue.pages import Line
from ocrqueue.states import Origin

if TYPE_CHECKING:
    from PIL.Image import Image

_WIDE = 0.8  # times the size of the line: a gap between columns is at least so wide ...
_WIDER = 1.5  # ... and at least so many times the median gap between words of the line
_ENOUGH = 3  # gaps between words for a median
_REACH = 1.0  # times the size of the line: the gap may be so far to the left or right of the gutter
_INK = 0.5  # between paper (0) and the darkest pixels (1): darker is ink


class Splitter:
    """Splits lines of one page, and remembers the gaps of each line."""

    def __init__(self, frame: Frame, image: "Image | None" = None) -> None:
        self.frame = frame  # of the page
        self._image = image
        self._seen: dict[int, tuple[Line, list[Gap]]] = {}  # by `id(line)`; keeping the line keeps its id unique

    def split(self, piece: Piece, left: float, right: float) -> tuple[Piece, Piece] | None:
        """Both parts of a piece that has a gap at the gutter from `left` to `right`; None if it has none there.

        The gap has to be wider than other gaps between words. If the engine gave no words, gaps are white columns of
        the page image.
        """
        if self.frame.vertical:
            return None
        if id(piece.line) not in self._seen:
            self._seen[id(piece.line)] = piece.line, self._wide_gaps(piece)
        gaps = self._seen[id(piece.line)][1]
        reach = _REACH * piece.size
        begin, end = left - reach, right + reach
        near = [gap for gap in gaps if begin <= gap.middle <= end]
        return divided(piece, max(near, key=lambda gap: gap.width), self.frame) if near else None

    def _wide_gaps(self, piece: Piece) -> list[Gap]:
        """The gaps of a piece that are wide enough for a gap between columns, by its words or in the image."""
        line = piece.line
        if line.words or self._image is None or line.origin != Origin.OCR:
            return _gaps_of_words(line, self.frame, piece.size)
        return _gaps_of_white(line, self.frame, piece.size, self._image)


def _gaps_of_words(line: Line, frame: Frame, size: float) -> list[Gap]:
    """The gaps between the words of a line that are wide, and wider than its others."""
    _, ends = word_edges(line, frame)
    widths = [left - right for (_, right), (left, _) in pairwise(ends)]
    least = _WIDE * size
    if max(widths, default=0.0) < least:
        return []  # as for most lines, without a median
    return gaps_between(line, frame, max(least, _WIDER * median(widths)) if len(widths) >= _ENOUGH else least)


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
