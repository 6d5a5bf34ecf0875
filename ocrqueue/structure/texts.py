"""The lines of a page on its sheet: their boxes and words in points, their size of type, and whether they are bold."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ocrqueue.geometry import Rect
from ocrqueue.pages import Line, is_right_to_left
from ocrqueue.states import Origin
from ocrqueue.structure.sheet import Sheet

_BOLD = 16  # flag of a span of PyMuPDF
_BOLD_NAME = re.compile("bold|black|heavy|demi", re.IGNORECASE)  # in names of fonts without that flag
_SHORT = 3  # characters of a word all of which may be named otherwise, such as "μm"
_MONO = 8  # flag of a span of PyMuPDF
_MONO_NAME = re.compile(r"mono(?!type)|courier|consolas|menlo|typewriter|cmtt", re.IGNORECASE)
_READ_SIZE = 0.78  # type size of a line that was read, as a share of the height of its box, which has room around it


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, or a line in one font, and its place on the sheet."""

    text: str
    box: Rect
    size: float = 0.0  # type size in points; 0: not known
    is_bold: bool = False
    is_mono: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A line on the sheet."""

    index: int  # of the line on its page
    text: str
    box: Rect
    words: tuple[Piece, ...]  # in the order of the text; made in proportion where the engine gave none
    size: float  # type size in points
    is_bold: bool | None  # None: not known
    is_even: bool  # whether the places of the words were made in proportion
    is_mono: bool = False  # whether it is printed in a monospaced font

    @property
    def middle(self) -> float:
        """Halfway between top and bottom."""
        return (self.box[1] + self.box[3]) / 2


def texts_of(lines: Sequence[Line], sheet: Sheet) -> list[Text]:
    """The lines that contain text."""
    printed = _Pieces(_spans(sheet) if sheet.is_source else ())
    lacks_words = any(not line.words for line in lines)
    words = _Pieces(_words(sheet) if sheet.is_source and lacks_words else ())
    return [_text(i, line, sheet, printed, words) for i, line in enumerate(lines) if line.text.strip()]


def rows_of(texts: Iterable[Text]) -> list[list[Text]]:
    """The lines side by side, from top to bottom, each row from left to right."""
    rows: list[list[Text]] = []
    for text in sorted(texts, key=lambda text: text.middle):
        if rows and text.box[1] < rows[-1][0].middle:
            rows[-1].append(text)
        else:
            rows.append([text])
    return [sorted(row, key=lambda text: text.box[0]) for row in rows]


class _Pieces:
    """Pieces of text, found by the box that contains their middle."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = sorted(pieces, key=_middle)
        self._middles = [_middle(piece) for piece in self._pieces]

    def within(self, box: Rect) -> list[Piece]:
        """The pieces whose middle lies in a box, from left to right."""
        near = self._pieces[bisect_left(self._middles, box[1]) : bisect_left(self._middles, box[3])]
        inside = [piece for piece in near if box[0] <= (piece.box[0] + piece.box[2]) / 2 <= box[2]]
        return sorted(inside, key=lambda piece: piece.box[0])


def _middle(piece: Piece) -> float:
    return (piece.box[1] + piece.box[3]) / 2


def _spans(sheet: Sheet) -> list[Piece]:
    """The pieces of the page that are printed in one font."""
    blocks = sheet.page.get_text("dict", flags=0)["blocks"]
    spans = [span for block in blocks for line in block.get("lines", ()) for span in line["spans"]]
    return [
        Piece(s["text"], sheet.seen(tuple(s["bbox"])), float(s["size"]), _is_bold(s), _is_mono(s))
        for s in spans
        if s["text"].strip()
    ]


def _is_bold(span: dict[str, Any]) -> bool:
    return bool(span["flags"] & _BOLD or _BOLD_NAME.search(span["font"]))


def _is_mono(span: dict[str, Any]) -> bool:
    return bool(span["flags"] & _MONO or _MONO_NAME.search(span["font"]))


def _words(sheet: Sheet) -> list[Piece]:
    return [Piece(word[4], sheet.seen(tuple(word[:4]))) for word in sheet.page.get_text("words")]


def _text(index: int, line: Line, sheet: Sheet, printed: _Pieces, words: _Pieces) -> Text:
    box = sheet.rect(line.box)
    is_alone = (
        line.origin == Origin.OCR and len(line.words) == 1
    )  # its box is the line's, which is wider than the print
    own = () if is_alone else tuple(Piece(word.text, sheet.rect(word.box)) for word in line.words)
    if not own:
        own = _in_text_order(words.within(box), line.text)
    is_even = not own
    own = own or _even_words(line.text, box, is_right_to_left(line.text) == sheet.is_mirrored)
    spans = printed.within(box) if line.origin == Origin.TEXT_LAYER else []
    if not spans:
        return Text(index, line.text, box, own, _READ_SIZE * (box[3] - box[1]), None, is_even)
    total = sum(len(span.text) for span in spans)
    size = max(spans, key=lambda span: (len(span.text), span.size)).size
    is_bold, is_mono = (
        2 * sum(len(span.text) for span in spans if getattr(span, name)) > total for name in ("is_bold", "is_mono")
    )
    return Text(index, line.text, box, own, size, is_bold, is_even, is_mono)


def _in_text_order(found: Sequence[Piece], text: str) -> tuple[Piece, ...]:
    """The words found in a line from left to right, in the order of its text; () if they are other words.

    The orders differ in a line that mixes directions, such as English words or numbers in Hebrew. PyMuPDF's words have
    the characters that the file names, such as "172" for "17²": those of the text count.
    """
    if "".join(piece.text for piece in found) == "".join(text.split()):
        return tuple(found)
    words = text.split()
    if len(words) == len(found) and all(map(_are_alike, found, words)):
        return tuple(replace(piece, text=word) for piece, word in zip(found, words, strict=True))
    places: dict[str, list[Piece]] = {}
    for piece in reversed(found):
        places.setdefault(piece.text, []).append(piece)
    ordered = [places[word].pop() if places.get(word) else None for word in text.split()]
    known = tuple(piece for piece in ordered if piece)
    return known if len(known) == len(ordered) == len(found) else ()


def _are_alike(piece: Piece, word: str) -> bool:
    """Whether a word of the page and one of a text may be the same: they have as many characters, and share some."""
    return len(piece.text) == len(word) and (len(word) < _SHORT or not set(piece.text).isdisjoint(word))


def _even_words(text: str, box: Rect, runs_right: bool) -> tuple[Piece, ...]:
    """The words of a line as if all characters had the same width. `runs_right`: the first one is at the left."""
    left, top, right, bottom = box
    step = (right - left) / len(text)
    words = []
    for match in re.finditer(r"\S+", text):
        start, end = match.span() if runs_right else (len(text) - match.end(), len(text) - match.start())
        words.append(Piece(match[0], (left + start * step, top, left + end * step, bottom)))
    return tuple(words)
