"""What an engine returns for a page: lines of text with boxes. Plain values: importing them loads nothing heavy."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from ocrqueue.blocks import Block
from ocrqueue.geometry import Point, Quad
from ocrqueue.states import Origin

__all__ = ["POORLY_READ", "READ_AGAIN", "Line", "PageText", "PageWarning", "Point", "Quad", "Word", "is_right_to_left"]

POORLY_READ = 0.7  # quality below which a page counts as poorly read; see docs/results.md
READ_AGAIN = 0.8  # quality below which another engine reads a page again; see docs/benchmarks.md


def is_right_to_left(text: str) -> bool:
    """Whether the first letter of a text belongs to a right-to-left script, such as Arabic or Hebrew (UAX #9, P2)."""
    if text.isascii():
        return False
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"


@dataclass(frozen=True, slots=True)
class Word:
    """A part of a line with its position: a word, or one character in scripts that put no spaces between words."""

    text: str
    box: Quad  # corners in pixels of the page image
    confidence: float | None = None  # 0 to 1; None if the engine gives none


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text on a page."""

    text: str
    box: Quad  # corners in pixels of the page image
    confidence: float | None = None  # 0 to 1; None if the engine gives none
    origin: str = Origin.OCR  # or Origin.TEXT_LAYER
    words: Sequence[Word] = ()  # in order; empty if the engine gives none. Their boxes are not stored

    def offsets(self) -> list[tuple[Word, int]]:
        """The words with their index in the text; empty if the words do not make up the text."""
        found: list[tuple[Word, int]] = []
        position = 0
        for word in self.words:
            start = self.text.find(word.text, position)
            if start < 0 or self.text[position:start].strip():
                return []
            found.append((word, start))
            position = start + len(word.text)
        return found


@dataclass(frozen=True, slots=True)
class PageWarning:
    """What is wrong with the text of a page that was read."""

    code: str  # see `WarningCode`
    message: str  # what is wrong and what to do, one line


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of one page, in the engine's reading order. A page with Markdown or blocks has lines or text, too."""

    lines: list[Line] = field(default_factory=list)
    text: str | None = None  # None: the texts of the lines, separated by newlines
    markdown: str | None = None  # None: the same as `text`
    warnings: tuple[PageWarning, ...] = ()  # why the text may not be complete
    blocks: tuple[Block, ...] | None = None  # in reading order; None: the structure is not known
    unread: float = 0.0  # length of the lines that were found but not read, as a share of the length of all; 0 to 1

    @property
    def plain(self) -> str:
        """The text of the page, its lines separated by newlines."""
        return self.text if self.text is not None else "\n".join(line.text for line in self.lines)

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the lines, each weighted by its number of characters; None if no line has one."""
        known = [(line.confidence, len(line.text)) for line in self.lines if line.confidence is not None]
        weight = sum(length for _, length in known)
        return sum(c * length for c, length in known) / weight if weight else None
