"""The text that a PDF page brings along, as a reader sees it, in points of the upright page."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pymupdf

from ocrqueue.documents.pdf.characters import accented, is_unspaced, readable
from ocrqueue.documents.pdf.painting import Painting, painted_on
from ocrqueue.documents.pdf.visible import VisibleText
from ocrqueue.geometry import Quad, Rect, union

MAX_CHARACTERS = 100_000  # a page full of 4 point type has 40,000
MAX_PAINTED = 200_000  # things that are painted on a page

_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CLIP  # not: codes for unmapped
_LEVEL = 0.9999  # the cosine of a direction that is as good as level
_NOTHING = "\u200b"  # a character that `readable` leaves out
_BEFORE = 200  # lines; a shadow is not printed long before
_LAST_SPACED = "\u0dff"  # no script before it goes without spaces


@dataclass(frozen=True, slots=True)
class TextRun:
    """One line of the layer, or a part of it in one font."""

    text: str  # as it is printed, NFC
    quad: Quad  # clockwise from the text's own top left
    words: tuple[tuple[str, Quad], ...]
    fonts: dict[str, str]  # the raw characters by font; to judge its mapping

    @property
    def size(self) -> int:
        """How many characters there are, readable or not."""
        return sum(len(text.strip()) for text in self.fonts.values())


@dataclass(frozen=True, slots=True)
class PageContents:
    """What is seen on a page. Boxes in points of the upright page."""

    runs: list[TextRun]
    hidden: int  # characters that are there and not seen
    images: list[Rect]  # in the order of painting
    glyph_paths: int  # filled shapes of the size of a letter
    grey: Painting


def page_contents(page: Any) -> PageContents | None:
    """What is seen on a page of PyMuPDF; None where there is no text, or more than any page can have."""
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
    for block in stext.extractRAWDICT()["blocks"]:
        for line in block.get("lines", ()):
            _put_accents([char for span in line["spans"] for char in span["chars"]])
            yield line


def _put_accents(chars: list[dict[str, Any]]) -> None:
    """Make one character of an accent and the letter that it is printed over, as TeX does."""
    for accent, letter in pairwise(chars):
        if accent["c"] <= "Z" or not letter["c"].isalpha():
            continue
        whole = accented(accent["c"], letter["c"])
        left, _, right, _ = letter["bbox"]
        if whole and left <= (accent["bbox"][0] + accent["bbox"][2]) / 2 <= right:
            accent["c"], letter["c"] = _NOTHING, whole


def _is_repeated(run: TextRun, runs: list[TextRun]) -> bool:
    """Whether the same text was printed nearly there before: a shadow, or bold type made of plain."""
    near = math.dist(run.quad[0], run.quad[3]) / 4
    return any(run.text == other.text and math.dist(run.quad[0], other.quad[0]) < near for other in runs[-_BEFORE:])


def _is_glyph(kind: str, box: Rect) -> bool:
    return kind == "fill-path" and 3 <= box[3] - box[1] <= 40 and 1 <= box[2] - box[0] <= 60


def _run(line: dict[str, Any], spans: list[tuple[dict[str, Any], list[bool]]]) -> TextRun | None:
    """The visible part of a line; None where there is none."""
    frame = _Frame(line)
    words: list[tuple[list[str], list[Rect]]] = []
    fonts: dict[str, str] = {}
    apart = True
    for span, visible in spans:
        text = "".join(char["c"] if ok else " " for char, ok in zip(span["chars"], visible, strict=True))
        fonts[span["font"]] = fonts.get(span["font"], "") + text
        place = frame.placing(span)
        for letter, char in zip(text, span["chars"], strict=True):
            if letter.isspace():
                apart = True
                continue
            alone = letter > _LAST_SPACED and is_unspaced(letter)
            if apart or alone:
                words.append(([], []))
            words[-1][0].append(letter)
            words[-1][1].append(place(char))
            apart = alone
    if not words:
        return None
    plain = readable("".join(fonts.values()) if len(fonts) == 1 else _plain(spans))
    boxes = [union(places) for _, places in words]
    named = ((readable("".join(letters)), box) for (letters, _), box in zip(words, boxes, strict=True))
    return TextRun(plain, frame.quad(union(boxes)), tuple((n, frame.quad(box)) for n, box in named if n), fonts)


def _plain(spans: list[tuple[dict[str, Any], list[bool]]]) -> str:
    return "".join(
        char["c"] if ok else " " for span, visible in spans for char, ok in zip(span["chars"], visible, strict=True)
    )


class _Frame:
    """A line's own coordinates: along its direction, and down from there."""

    def __init__(self, line: dict[str, Any]) -> None:
        self._vertical = bool(line["wmode"])
        direction: tuple[float, float] = (1.0, 0.0) if self._vertical else line["dir"]
        self._cos, self._sin = direction

    def placing(self, span: dict[str, Any]) -> Callable[[dict[str, Any]], Rect]:
        """Tells where a character of a span is in these coordinates: as high as the font, never more than its size."""
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
        """How wide a character of a known height is, from the upright box around it."""
        cos, sin = abs(self._cos), abs(self._sin)
        across, down = box[2] - box[0], box[3] - box[1]
        return max((across - high * sin) / cos if cos > sin else (down - high * cos) / sin, 0.0)

    def quad(self, box: Rect) -> Quad:
        """The corners of a box on the page."""
        left, top, right, bottom = box
        cos, sin = (1.0, 0.0) if self._cos > _LEVEL else (self._cos, self._sin)
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in corners)
        return a, b, c, d
