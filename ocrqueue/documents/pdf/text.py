"""The visible text of a PDF page, line by line. Boxes are in points of the upright page."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from operator import itemgetter
from typing import Any

from ocrqueue.documents.pdf.characters import ACCENTS, FIRST_LEFTWARDS, UNSPACED, accented, is_plain, readable
from ocrqueue.documents.pdf.gaps import Letters, missing_spaces
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.pdf.painting import Painting, painted_on
from ocrqueue.documents.pdf.visible import VisibleText
from ocrqueue.geometry import Quad, Rect, union
from ocrqueue.pages import is_right_to_left

MAX_CHARACTERS = 100_000  # per page; a page full of 4 point type has 40,000
MAX_PAINTED = 200_000  # painted objects per page

# Without TEXT_CID_FOR_UNKNOWN_UNICODE: a character without a Unicode value becomes U+FFFD, not its code.
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CLIP
_LEVEL = 0.9999  # the cosine of a direction; from here on a line counts as level
_NO_WIDTH = 0.01  # points: a character less wide has no width of its own
_NOTHING = "\u200b"  # a zero-width space: `readable` removes it
_BEFORE = 200  # lines: the shadow of a line is printed at most so many lines before it
_measures = itemgetter("size", "ascender", "descender")  # of a span: what decides the boxes of its characters
_ACCENT = re.compile(f"[{re.escape(''.join(ACCENTS))}]")
_WORD = re.compile(r"\S+")
_WORD_OR_SIGN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")  # a character of a script without spaces is a word


@dataclass(frozen=True, slots=True)
class TextRun:
    """One visible line of text."""

    text: str  # as it is printed, NFC
    quad: Quad
    words: tuple[tuple[str, Quad], ...]  # text and box of each word, in order
    fonts: dict[str, str]  # raw characters by font name, to judge whether the font maps them correctly

    @property
    def size(self) -> int:
        """The number of characters, with or without meaning."""
        return sum(len(text.strip()) for text in self.fonts.values())


@dataclass(frozen=True, slots=True)
class PageContents:
    """What is visible on a page. Boxes are in points of the upright page."""

    runs: list[TextRun]  # in the order of the file
    hidden: int  # number of characters that are not visible
    images: list[Rect]  # in the order of painting
    glyph_paths: int  # number of filled shapes of the size of a letter
    grey: Painting  # the page as a grey image


def page_contents(page: Any) -> PageContents | None:
    """What is visible on a page of PyMuPDF; None if it has no text, or more than a page can have."""
    displayed = page.get_displaylist()
    stext = pymupdf.TextPage(displayed.get_textpage(_FLAGS))
    count = len(stext.extractText())
    painted = painted_on(displayed)
    if not 0 < count <= MAX_CHARACTERS or len(painted) > MAX_PAINTED:
        return None
    grey = Painting(displayed)
    seen = VisibleText(page, displayed, painted, grey)
    runs: list[TextRun] = []
    for line in _lines(stext):
        run = _run(line, seen)
        if run is not None and not _is_repeated(run, runs):
            runs.append(run)
    images = [box for kind, box in painted if kind in ("fill-image", "fill-imgmask")]
    return PageContents(runs, seen.hidden, images, sum(_is_glyph(kind, box) for kind, box in painted), grey)


def _lines(stext: Any) -> Iterator[dict[str, Any]]:
    """The lines as PyMuPDF's `rawdict` has them, accents joined with their letters, ligatures in order.

    Each span gets its `text`.
    """
    for block in stext.extractRAWDICT()["blocks"]:
        for line in block.get("lines", ()):
            spans = line["spans"]
            for span in spans:
                span["text"] = "".join([char["c"] for char in span["chars"]])
            text = "".join([span["text"] for span in spans])
            is_leftwards = not text.isascii() and max(text) >= FIRST_LEFTWARDS
            if is_leftwards or _ACCENT.search(text):
                chars = [char for span in spans for char in span["chars"]]
                _put_accents(chars)
                if is_leftwards:
                    _turn_ligatures(chars)
                for span in spans:
                    span["text"] = "".join([char["c"] for char in span["chars"]])
            yield line


def _put_accents(chars: list[dict[str, Any]]) -> None:
    """Join each accent with the letter below it, which TeX prints as two characters."""
    for accent, letter in pairwise(chars):
        if accent["c"] not in ACCENTS or not letter["c"].isalpha():
            continue
        whole = accented(accent["c"], letter["c"])
        left, _, right, _ = letter["bbox"]
        if whole and left <= (accent["bbox"][0] + accent["bbox"][2]) / 2 <= right:
            accent["c"], letter["c"] = _NOTHING, whole


def _turn_ligatures(chars: list[dict[str, Any]]) -> None:
    """Put the letters of each Arabic ligature in order: MuPDF turns their order with that of the line.

    Letters without width stand at the right edge of the one that has the width of the ligature.
    """
    start = 0
    for index, char in enumerate(chars):
        left, _, right, _ = char["bbox"]
        if char["c"] >= FIRST_LEFTWARDS and char["c"].isalpha():
            if right - left < _NO_WIDTH:
                continue
            parts = chars[start : index + 1]
            if all(abs(part["bbox"][0] - right) < _NO_WIDTH for part in parts[:-1]):
                for part, text in zip(parts, [part["c"] for part in reversed(parts)], strict=True):
                    part["c"] = text
        start = index + 1


def _is_repeated(run: TextRun, runs: list[TextRun]) -> bool:
    """Whether the same text was just printed at nearly the same place: a shadow, or bold made by printing twice."""
    near = math.dist(run.quad[0], run.quad[3]) / 4
    same = [other for other in runs[-_BEFORE:] if other.text == run.text]
    return any(math.dist(run.quad[0], other.quad[0]) < near for other in same)


def _is_glyph(kind: str, box: Rect) -> bool:
    """Whether a filled path has the size of a letter: 3 to 40 points high, 1 to 60 wide."""
    return kind == "fill-path" and 3 <= box[3] - box[1] <= 40 and 1 <= box[2] - box[0] <= 60


def _run(line: dict[str, Any], seen: VisibleText) -> TextRun | None:
    """The visible part of a line; None if nothing is visible."""
    frame = _Frame(line)
    letters, fonts = _letters_of(line, frame, seen)
    letters.put_last(_ends_before(letters))
    spaced = [] if line["wmode"] else missing_spaces(letters)
    parts = _words_of(letters.text, spaced)
    if not parts:
        return None
    boxes = [letters.box(start, end) for start, end in parts]
    texts = [letters.text[start:end] for start, end in parts]
    whole = letters.text
    for index in reversed(spaced):
        whole = f"{whole[:index]} {whole[index:]}"
    if not is_plain(whole):
        texts = [readable(text) for text in texts]
    words = tuple((text, frame.quad(box)) for text, box in zip(texts, boxes, strict=True) if text)
    return TextRun(readable(whole), frame.quad(union(boxes)), words, fonts)


def _letters_of(line: dict[str, Any], frame: "_Frame", seen: VisibleText) -> tuple[Letters, dict[str, str]]:
    """The characters of a line, those that are not visible as spaces; and the raw ones by font name."""
    letters = Letters()
    fonts: dict[str, str] = {}
    around = seen.around(line)
    for _, group in groupby(line["spans"], _measures):  # spans that differ in other things are measured at once
        spans = list(group)
        text = ""
        for span in spans:
            part = span["text"]
            visible = seen.visible(span, line, around)
            if visible is not None:
                part = "".join([c if ok else " " for c, ok in zip(part, visible, strict=True)])
            fonts[span["font"]] = fonts.get(span["font"], "") + part
            text += part
        chars = spans[0]["chars"] if len(spans) == 1 else [char for span in spans for char in span["chars"]]
        frame.add(letters, spans[0], text, chars)
    return letters, fonts


def _ends_before(letters: Letters) -> int:
    """How many marks, such as a full stop, are given before a line that runs to the left, though they end it.

    Browsers print such a mark by itself, and MuPDF puts what is at the left first.
    """
    if not letters.may_run_leftwards:
        return 0
    text = letters.text
    count = len(list(takewhile(lambda char: not char.isalnum(), text)))
    rest = [index for index in range(count, len(text)) if not text[index].isspace()]
    if not count or not rest or not is_right_to_left("".join(text[index] for index in rest)):
        return 0
    return count if max(letters.rights[:count]) <= min(letters.rights[index] for index in rest) else 0


def _words_of(text: str, spaced: Sequence[int]) -> list[tuple[int, int]]:
    """Start and end of each word. A space is missing before the indexes `spaced`, which are in order."""
    pattern = _WORD if text.isascii() else _WORD_OR_SIGN
    found = [match.span() for match in pattern.finditer(text)]
    if not spaced:
        return found
    parts: list[tuple[int, int]] = []
    for start, end in found:
        cuts = [start, *(index for index in spaced if start < index < end), end]
        parts += pairwise(cuts)
    return parts


class _Frame:
    """The coordinate system of a line: x along its direction, y down from it."""

    def __init__(self, line: dict[str, Any]) -> None:
        self._vertical = bool(line["wmode"])
        direction: tuple[float, float] = (1.0, 0.0) if self._vertical else line["dir"]
        self._cos, self._sin = direction

    def add(self, letters: Letters, span: dict[str, Any], text: str, chars: list[dict[str, Any]]) -> None:
        """Add characters of the size and heights of `span`, with `text` in their place.

        Their boxes are as high as the font, at most its size.
        """
        boxes = [char["bbox"] for char in chars]
        size = span["size"]
        if self._vertical:
            letters.add(text, size, *map(list, zip(*boxes, strict=True)))
            return
        up, down = max(span["ascender"], 0.1), max(-span["descender"], 0.0)
        high = (up + down) * size
        scale = size / max(1.0, up + down)
        above, below = up * scale, down * scale
        origins = [char["origin"] for char in chars]
        if self._cos > _LEVEL:
            lefts, rights = [box[0] for box in boxes], [box[2] for box in boxes]
            heights = [y for _, y in origins]
        else:
            lefts = [x * self._cos + y * self._sin for x, y in origins]
            rights = [left + self._width(box, high) for left, box in zip(lefts, boxes, strict=True)]
            heights = [y * self._cos - x * self._sin for x, y in origins]
        letters.add(text, size, lefts, [y - above for y in heights], rights, [y + below for y in heights])

    def _width(self, box: Rect, high: float) -> float:
        """The width of a turned character of height `high`, from the upright box around it.

        The box of a rectangle w x h turned by an angle a is w cos a + h sin a wide and w sin a + h cos a high. The
        equation with the larger factor of w is solved.
        """
        cos, sin = abs(self._cos), abs(self._sin)
        across, down = box[2] - box[0], box[3] - box[1]
        return max((across - high * sin) / cos if cos > sin else (down - high * cos) / sin, 0.0)

    def quad(self, box: Rect) -> Quad:
        """The corners of a box of this coordinate system on the page."""
        left, top, right, bottom = box
        corners = (left, top), (right, top), (right, bottom), (left, bottom)
        if self._cos > _LEVEL:
            return corners
        cos, sin = self._cos, self._sin
        a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in corners)
        return a, b, c, d
