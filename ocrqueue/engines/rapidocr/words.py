"""The places of words in a line, from the columns in which the recogniser saw their characters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocrqueue.geometry import Point, Quad
from ocrqueue.pages import Word

_GAP = 1.5  # heights of a line between two characters: more is a gap between words though no space was read
_NARROW = 0.4  # heights of a line: the width of a word of one character
_IDEOGRAPHS = ((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


@dataclass(frozen=True, slots=True)
class LineReading:
    """What the recogniser made of a line."""

    text: str
    confidence: float
    places: tuple[float, ...] = ()  # of the middle of each character, from 0 to 1 along the line
    aspect: float = 1.0  # width of the line over its height

    @property
    def weight(self) -> float:
        """How much was read: characters other than blanks, each counted by the line's confidence."""
        return len("".join(self.text.split())) * self.confidence


def words_of(line: LineReading, quad: Quad) -> tuple[Word, ...]:
    """The words of a line whose corners are known; ideographs one by one. Empty for a line of one word."""
    groups = list(_groups(line))
    if len(groups) < 2:
        return ()
    spans = _spans(line, groups)
    return tuple(
        Word(line.text[group.start : group.stop], _box(quad, *span)) for group, span in zip(groups, spans, strict=True)
    )


def _groups(line: LineReading) -> Iterator[range]:
    """The characters of each word, by their position in the text."""
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
    """Whether a character belongs to another word than the one before it, no space between them."""
    before, here = line.text[i - 1], line.text[i]
    return _is_ideograph(before) or _is_ideograph(here) or (line.places[i] - line.places[i - 1]) * line.aspect > _GAP


def _is_ideograph(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _IDEOGRAPHS)


def _spans(line: LineReading, groups: Sequence[range]) -> Iterator[tuple[float, float]]:
    """Where each word begins and ends: half a character beyond its outer ones, at most half way to its neighbours."""
    for n, group in enumerate(groups):
        first, last = line.places[group[0]], line.places[group[-1]]
        half = ((last - first) / (len(group) - 1) if len(group) > 1 else _NARROW / line.aspect) / 2
        before = (line.places[groups[n - 1][-1]] + first) / 2 if n else 0.0
        after = (line.places[groups[n + 1][0]] + last) / 2 if n + 1 < len(groups) else 1.0
        yield max(before, first - half), min(after, last + half)


def _box(quad: Quad, start: float, end: float) -> Quad:
    """The corners of a part of a line, clockwise from top left on the page, whichever way the line runs."""
    top_left, top_right, bottom_right, bottom_left = quad
    box = (
        _between(top_left, top_right, start),
        _between(top_left, top_right, end),
        _between(bottom_left, bottom_right, end),
        _between(bottom_left, bottom_right, start),
    )
    first = min(range(4), key=lambda i: box[i][0] + box[i][1])
    return box[first], box[first - 3], box[first - 2], box[first - 1]


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
