"""Words of a page that may be wrong, because the engine was not sure of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ocrqueue.formats.placement import PlacedLine, numbered_lines
from ocrqueue.geometry import Quad

DOUBT = 0.7  # confidence below which a word is marked; chosen by measurement (docs/benchmarks.md)
DOUBT_LINE = 0.8  # the same for a line whose words have no confidence, as in results of older versions


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a line: a doubtful word, or what is between two of them."""

    text: str
    confidence: float | None = None  # of a doubtful word, 0 to 1; None: nothing is wrong with the part
    number: int = 0  # of the doubtful word on the page, from 1
    box: Quad | None = None  # of the doubtful word, in pixels of the page image


def parts_of(page: Mapping[str, Any]) -> list[list[Part]]:
    """The parts of each line of a page of a result."""
    placed = dict(numbered_lines(page))
    found: list[list[Part]] = []
    count = 0
    for index, line in enumerate(page["lines"]):
        text, at = line["text"], 0
        parts: list[Part] = []
        for start, end, confidence in _doubtful(line):
            count += 1
            box = _box(placed.get(index), start, end, len(text))
            parts += [Part(text[at:start]), Part(text[start:end], confidence, count, box)]
            at = end
        parts.append(Part(text[at:]))
        found.append([part for part in parts if part.text])
    return found


def _doubtful(line: Mapping[str, Any]) -> Iterator[tuple[int, int, float]]:
    """Start, end and confidence of each doubtful word; of the whole line if its words are not known."""
    text, words = line["text"], line.get("words")  # older versions write none
    if words:
        for start, end, confidence in words:
            if confidence < DOUBT and any(map(str.isalnum, text[start:end])):
                yield start, end, confidence
    elif line["confidence"] is not None and line["confidence"] < DOUBT_LINE:
        yield 0, len(text), line["confidence"]


def _box(line: PlacedLine | None, start: int, end: int, length: int) -> Quad | None:
    """The box of a part of a line's text, which has this length."""
    if line is None:
        return None
    return next(line.boxes([(start, end)])) if len(line.text) == length else line.box
