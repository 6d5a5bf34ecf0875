"""The visible text of a PDF page, line by line. Boxes are in points of the upright page."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any

from ocrqueue.documents.pdf.characters import ACCENTS, FIRST_LEFTWARDS, accented, is_unspaced, readable
from ocrqueue.documents.pdf.gaps import Letter, missing_spaces
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
_LAST_SPACED = "\u0dff"  # scripts up to this code put spaces between words: most characters need no closer look


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
        spans = [(span, seen.visible(span, line)) for span in line["spans"]]
        run = _run(line, spans)
        if run is not None and not _is_repeated(run, runs):
            runs.append(run)
    images = [box for kind, box in painted if kind in ("fill-image", "fill-imgmask")]
    return PageContents(runs, seen.hidden, images, sum(_is_glyph(kind, box) for kind, box in painted), grey)


def _lines(stext: Any) -> Iterator[dict[str, Any]]:
    """The lines as PyMuPDF's `rawdict` has them, accents joined with their letters, ligatures in order."""
    for block in stext.extractRAWDICT()["blocks"]:
        for line in block.get("lines", ()):
            chars = [char for span in line["spans"] for char in span["chars"]]
            _put_accents(chars)
            _turn_ligatures(chars)
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
    return any(run.text == other.text and math.dist(run.quad[0], other.quad[0]) < near for other in runs[-_BEFORE:])


def _is_glyph(kind: str, box: Rect) -> bool:
    """Whether a filled path has the size of a letter: 3 to 40 points high, 1 to 60 wide."""
    return kind == "fill-path" and 3 <= box[3] - box[1] <= 40 and 1 <= box[2] - box[0] <= 60


def _run(line: dict[str, Any], spans: list[tuple[dict[str, Any], list[bool]]]) -> TextRun | None:
    """The visible part of a line; None if nothing is visible. `spans` has for each character whether it is visible."""
    frame = _Frame(line)
    letters: list[Letter] = []
    boxes: list[Rect] = []
    fonts: dict[str, str] = {}
    for span, visible in spans:
        text = "".join(char["c"] if ok else " " for char, ok in zip(span["chars"], visible, strict=True))
        fonts[span["font"]] = fonts.get(span["font"], "") + text
        boxes += map(frame.boxes_of(span), span["chars"])
        letters += [Letter(c, box[0], box[2], span["size"]) for c, box in zip(text, boxes[-len(text) :], strict=True)]
    first = _ends_before(letters)
    letters, boxes = letters[first:] + letters[:first], boxes[first:] + boxes[:first]
    spaced = set[int]() if line["wmode"] else missing_spaces(letters)
    words: list[_Letters] = []
    starts_word = True
    for index, ((letter, *_), box) in enumerate(zip(letters, boxes, strict=True)):
        if letter.isspace():
            starts_word = True
            continue
        is_word = letter > _LAST_SPACED and is_unspaced(letter)
        if starts_word or is_word or index in spaced:
            words.append(_Letters())
        words[-1].letters.append(letter)
        words[-1].boxes.append(box)
        starts_word = is_word
    if not words:
        return None
    whole = "".join(f" {letter.text}" if index in spaced else letter.text for index, letter in enumerate(letters))
    texts = [readable("".join(word.letters)) for word in words]
    boxes = [union(word.boxes) for word in words]
    readable_words = tuple((text, frame.quad(box)) for text, box in zip(texts, boxes, strict=True) if text)
    return TextRun(readable(whole), frame.quad(union(boxes)), readable_words, fonts)


def _ends_before(letters: Sequence[Letter]) -> int:
    """How many marks, such as a full stop, are given before a line that runs to the left, though they end it.

    Browsers print such a mark by itself, and MuPDF puts what is at the left first.
    """
    if max((letter.text for letter in letters), default="") < FIRST_LEFTWARDS:
        return 0
    marks = list(takewhile(lambda letter: not letter.text.isalnum(), letters))
    rest = [letter for letter in letters[len(marks) :] if not letter.text.isspace()]
    if not marks or not rest or not is_right_to_left("".join(letter.text for letter in rest)):
        return 0
    return len(marks) if max(mark.right for mark in marks) <= min(letter.right for letter in rest) else 0


@dataclass(slots=True)
class _Letters:
    """A word while it is collected."""

    letters: list[str] = field(default_factory=list)
    boxes: list[Rect] = field(default_factory=list)  # of the letters, in coordinates of the line's `_Frame`


class _Frame:
    """The coordinate system of a line: x along its direction, y down from it."""

    def __init__(self, line: dict[str, Any]) -> None:
        self._vertical = bool(line["wmode"])
        direction: tuple[float, float] = (1.0, 0.0) if self._vertical else line["dir"]
        self._cos, self._sin = direction

    def boxes_of(self, span: dict[str, Any]) -> Callable[[dict[str, Any]], Rect]:
        """A function that returns the box of a character of `span`: as high as the font, at most the font size."""
        if self._vertical:
            return lambda char: char["bbox"]
        up, down = max(span["ascender"], 0.1), max(-span["descender"], 0.0)
        high = (up + down) * span["size"]
        scale = span["size"] / max(1.0, up + down)
        above, below = up * scale, down * scale

        def level(char: dict[str, Any]) -> Rect:
            left, _, right, _ = char["bbox"]
            y = char["origin"][1]
            return left, y - above, right, y + below

        def turned(char: dict[str, Any]) -> Rect:
            x, y = char["origin"]
            along, across = x * self._cos + y * self._sin, y * self._cos - x * self._sin
            return along, across - above, along + self._width(char["bbox"], high), across + below

        return level if self._cos > _LEVEL else turned

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
