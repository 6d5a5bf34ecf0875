"""Splitting a line that a detector drew across the gutter between two columns."""

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from ocrqueue.geometry import point_between
from ocrqueue.layout.pieces import Frame, Piece, piece_of, placed_bounds
from ocrqueue.pages import Line, Word
from ocrqueue.states import Origin

if TYPE_CHECKING:
    from PIL.Image import Image

_RULES = frozenset("|│┃¦‖")  # a recogniser reads the line printed between columns as one of these
_WIDER = 1.5  # times the line's own gap between words
_WIDE = 0.4  # of its size
_WIDE_ALONE = 0.8  # of its size, where the line has too few words to know its own gap
_ENOUGH = 3  # gaps between words that tell what is usual in a line
_REACH = 1.0  # sizes by which a gap may lie beside the gutter
_INK = 0.5  # of the way from paper to the darkest: darker is ink


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where a line may be split."""

    left: float  # in layout coordinates
    right: float
    offset: int  # in the line's text, where the second part begins

    @property
    def width(self) -> float:
        """Of the white."""
        return self.right - self.left


class Splitter:
    """Splits the lines of one page, and remembers what it saw in each."""

    def __init__(self, frame: Frame, image: "Image | None" = None) -> None:
        self._frame = frame
        self._image = image
        self._seen: dict[int, tuple[Line, _Gaps]] = {}  # by identity; the line is kept, so that none takes its place

    def split(self, piece: Piece, left: float, right: float) -> tuple[Piece, Piece] | None:
        """Both parts of a piece that is two lines, one on each side of the gutter from `left` to `right`; else None.

        Its words tell, by a gap wider than its others; where the engine gave none, a white gap in the page image.
        """
        if self._frame.vertical:
            return None
        if id(piece.line) not in self._seen:
            self._seen[id(piece.line)] = piece.line, self._look(piece)
        seen = self._seen[id(piece.line)][1]
        reach = _REACH * piece.size
        there = [
            gap
            for gap in seen.gaps
            if gap.width >= seen.least and left - reach <= (gap.left + gap.right) / 2 <= right + reach
        ]
        return _divide(piece, max(there, key=lambda gap: gap.width), self._frame) if there else None

    def _look(self, piece: Piece) -> "_Gaps":
        line = piece.line
        if not line.words and self._image is not None and line.origin == Origin.OCR:
            return _Gaps(_gaps_of_white(line, self._frame, piece.size, self._image), _WIDE_ALONE * piece.size)
        gaps = _gaps_of_words(line, self._frame)
        if len(gaps) < _ENOUGH:
            return _Gaps(gaps, _WIDE_ALONE * piece.size)
        return _Gaps(gaps, max(_WIDE * piece.size, _WIDER * median(gap.width for gap in gaps)))


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The gaps of a line."""

    gaps: list[Gap]
    least: float  # width of one that may part two columns


def _divide(piece: Piece, gap: Gap, frame: Frame) -> tuple[Piece, Piece] | None:
    line = piece.line
    first, second = line.text[: gap.offset].rstrip(), line.text[gap.offset :].lstrip()
    if not first or not second:
        return None
    share = ((gap.left + gap.right) / 2 - piece.left) / max(piece.width, 1.0)
    a, b, c, d = line.box
    above, below = point_between(a, b, share), point_between(d, c, share)
    words = [(placed_bounds(word.box, frame)[0] < (gap.left + gap.right) / 2, word) for word in line.words]
    parts = (
        replace(line, text=first, box=(a, above, below, d), words=tuple(w for is_first, w in words if is_first)),
        replace(line, text=second, box=(above, b, c, below), words=tuple(w for is_first, w in words if not is_first)),
    )
    return piece_of(parts[0], frame), piece_of(parts[1], frame)


def _gaps_of_words(line: Line, frame: Frame) -> list[Gap]:
    """The gaps between a line's words; a printed rule between two counts as white."""
    gaps: list[Gap] = []
    end: float | None = None  # of the word before
    for word, offset in _offsets(line):
        left, _, right, _ = placed_bounds(word.box, frame)
        if set(word.text) <= _RULES:
            continue
        if end is not None:
            gaps.append(Gap(end, left, offset))
        end = right
    return gaps


def _offsets(line: Line) -> list[tuple[Word, int]]:
    """The words with where they begin in the text; none where they do not spell it."""
    found: list[tuple[Word, int]] = []
    position = 0
    for word in line.words:
        start = line.text.find(word.text, position)
        if start < 0 or line.text[position:start].strip():
            return []
        found.append((word, start))
        position = start + len(word.text)
    return found


def _gaps_of_white(line: Line, frame: Frame, size: float, image: "Image") -> list[Gap]:
    """The white runs in a line's part of the image, with the blank of the text that lies nearest to each by ink."""
    import numpy as np

    left, top, right, bottom = (int(v) for v in placed_bounds(line.box, Frame()))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    blanks = [i + 1 for i, char in enumerate(line.text) if char.isspace()]
    if left >= right or top >= bottom or not blanks:
        return []
    grey = np.asarray(image.crop((left, top, right, bottom)).convert("L"), dtype=np.float32)
    dark, paper = np.percentile(grey, (1, 90))
    ink = np.flatnonzero((grey < paper - _INK * (paper - dark) - 1).any(axis=0))
    gaps = []
    for marks in np.flatnonzero(np.diff(ink) > _WIDE * size):
        share = (marks + 1) / len(ink)
        offset = min(blanks, key=lambda blank: abs(blank / len(line.text) - share))
        ends = [frame.place((left + float(ink[i]), (top + bottom) / 2))[0] for i in (marks, marks + 1)]
        gaps.append(Gap(ends[0] + 1, ends[1], offset))
    return gaps
