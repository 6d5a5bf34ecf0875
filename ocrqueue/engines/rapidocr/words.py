"""The boxes of words in a line, from the columns in which the recogniser found their characters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocrqueue.geometry import Quad, point_between
from ocrqueue.pages import Word

_GAP = 1.5  # line heights between two characters; a larger gap separates words, even if no space was read
_NARROW = 0.4  # line heights; the width of a word of one character
# Code points of scripts without spaces between words: CJK radicals to unified ideographs, Hangul syllables,
# compatibility ideographs, full-width forms, and the supplementary ideographic planes.
_IDEOGRAPHS = ((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))
_FIRST = chr(_IDEOGRAPHS[0][0])  # most characters are below it


@dataclass(frozen=True, slots=True)
class LineReading:
    """The recogniser's reading of a line."""

    text: str  # with the spaces that the recogniser read
    confidence: float  # 0 to 1, the mean of its characters
    places: tuple[float, ...] = ()  # of the centre of each character, from 0 to 1 along the line
    aspect: float = 1.0  # width of the line divided by its height
    confidences: tuple[float, ...] = ()  # of each character, 0 to 1

    @property
    def weight(self) -> float:
        """The number of characters other than blanks, times the confidence."""
        return len("".join(self.text.split())) * self.confidence


def words_of(line: LineReading, quad: Quad) -> tuple[Word, ...]:
    """The words of a line with these corners, in reading order; each ideograph is a word. Alone, a word fills the line.

    `quad` begins where the line begins, and is clockwise as the line is read.
    """
    groups = list(_groups(line))
    spans = _spans(line, groups) if len(groups) > 1 else iter([(0.0, 1.0)] * len(groups))
    return tuple(
        Word(line.text[group.start : group.stop], _box(quad, *span), _confidence(line, group))
        for group, span in zip(groups, spans, strict=True)
    )


def _confidence(line: LineReading, group: range) -> float | None:
    """That of the least certain character of a word: one wrong character makes a word wrong (docs/benchmarks.md)."""
    return min(line.confidences[group.start : group.stop], default=None)


def _groups(line: LineReading) -> Iterator[range]:
    """The indexes of the characters of each word."""
    start: int | None = None
    for i, character in enumerate(line.text):
        if start is not None and (character.isspace() or _is_apart(line, i)):
            yield range(start, i)
            start = None
        if start is None and not character.isspace():
            start = i
    if start is not None:
        yield range(start, len(line.text))


def _is_apart(line: LineReading, i: int) -> bool:
    """Whether a word begins at index `i`, although no space stands before it."""
    before, here = line.text[i - 1], line.text[i]
    return _is_ideograph(before) or _is_ideograph(here) or (line.places[i] - line.places[i - 1]) * line.aspect > _GAP


def _is_ideograph(character: str) -> bool:
    return character >= _FIRST and any(first <= ord(character) <= last for first, last in _IDEOGRAPHS)


def _spans(line: LineReading, groups: Sequence[range]) -> Iterator[tuple[float, float]]:
    """Start and end of each word, from 0 to 1 along the line.

    A word reaches half a character beyond the centres of its outer characters, but at most half way to its neighbours.
    """
    for n, group in enumerate(groups):
        first, last = line.places[group[0]], line.places[group[-1]]
        half = ((last - first) / (len(group) - 1) if len(group) > 1 else _NARROW / line.aspect) / 2
        before = (line.places[groups[n - 1][-1]] + first) / 2 if n else 0.0
        after = (line.places[groups[n + 1][0]] + last) / 2 if n + 1 < len(groups) else 1.0
        yield max(before, first - half), min(after, last + half)


def _box(quad: Quad, start: float, end: float) -> Quad:
    """The corners of a part of a line, clockwise from the top left on the page, for every direction of the line."""
    top_left, top_right, bottom_right, bottom_left = quad
    box = (
        point_between(top_left, top_right, start),
        point_between(top_left, top_right, end),
        point_between(bottom_left, bottom_right, end),
        point_between(bottom_left, bottom_right, start),
    )
    first = min(range(4), key=lambda i: box[i][0] + box[i][1])
    return box[first], box[first - 3], box[first - 2], box[first - 1]
