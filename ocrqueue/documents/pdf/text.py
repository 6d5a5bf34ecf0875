"""The visible text of a PDF page, line by line. Boxes are in points of the upright page."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.boxes import Array, corners_of, direction_of, merged, quads_of, sides_of
from ocrqueue.documents.pdf.characters import (
    ACCENTS,
    UNSPACED,
    accented,
    is_plain,
    is_unmapped,
    may_run_leftwards,
    readable,
)
from ocrqueue.documents.pdf.gaps import NO_GAP, TIGHT, gaps_of, missing_spaces
from ocrqueue.documents.pdf.leftwards import reading_order, runs_leftwards, turn_ligatures
from ocrqueue.documents.pdf.mupdf import mupdf, pymupdf
from ocrqueue.documents.pdf.painting import Painting, painted_on
from ocrqueue.documents.pdf.printed.downwards import joined_downwards
from ocrqueue.documents.pdf.printed.leaders import put_leaders
from ocrqueue.documents.pdf.printed.mirrored import set_right
from ocrqueue.documents.pdf.printed.raised import put_raised
from ocrqueue.documents.pdf.printed.symbols import put_symbols
from ocrqueue.documents.pdf.repeated import repeated
from ocrqueue.documents.pdf.visible import VisibleText
from ocrqueue.geometry import Point, Quad, Rect

MAX_CHARACTERS = 100_000  # per page; a page full of 4 point type has 40,000
MAX_PAINTED = 200_000  # painted objects per page

# Without TEXT_CID_FOR_UNKNOWN_UNICODE: a character without a Unicode value becomes U+FFFD, not its code.
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CLIP
_NOTHING = "\u200b"  # a zero-width space: `readable` removes it
_SOFT_HYPHEN = "\u00ad"
_PAINTED = 0.1  # of the size of type: a soft hyphen with so much room is painted, and is a hyphen or a minus
_ACCENT = re.compile(f"[{re.escape(''.join(ACCENTS))}]")
_SPACED = re.compile(r"(?<!\w)(?:[^\W_] ){5,}[^\W_](?!\w)")  # in a line: six letters or more with spaces between
_MAY_BE_SPACED = re.compile(r"(?:[^\W_] ){5}")  # the same in a page, whose lines follow each other without a space
_WORD = re.compile(r"\S+")
_UNMAPPED = re.compile("[\x00-\x08\x0e-\x1f\ue000-\uf8ff\ufffd]")  # what `is_unmapped` usually finds
_WORD_OR_SIGN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")  # a character of a script without spaces is a word


@dataclass(frozen=True, eq=False)
class TextRun:
    """One visible line of text."""

    text: str  # as it is printed, NFC
    quad: Quad
    words: tuple[str, ...]  # in order
    corners: Array  # of the words, as x and y of each corner; words x 8
    fonts: dict[str, str]  # raw characters by font name, to judge whether the font maps them correctly
    lost: int = 0  # words with characters without meaning, which are not in the text

    @cached_property
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
    painted = painted_on(displayed)
    if not _has_text(stext) or len(painted) > MAX_PAINTED:
        return None
    grey = Painting(displayed)
    seen = VisibleText(page, displayed, painted, grey)
    lines = _lines(stext, displayed)
    runs = _runs(lines, seen) if lines else []
    images = [box for kind, box in painted if kind in ("fill-image", "fill-imgmask")]
    return PageContents(runs, seen.hidden, images, sum(_is_glyph(kind, box) for kind, box in painted), grey)


def _has_text(stext: Any) -> bool:
    """Whether a page has text, and not more than a page can have."""
    size = mupdf.fz_new_buffer_from_stext_page(stext.this).m_internal.len  # in bytes of UTF-8
    return 0 < size <= MAX_CHARACTERS or 0 < len(stext.extractText()) <= MAX_CHARACTERS


def _lines(stext: Any, displayed: Any) -> list[dict[str, Any]]:
    """The lines as PyMuPDF's `rawdict` has them, their characters as a reader sees them.

    Symbols and raised figures have their characters, accents are joined with their letters, ligatures are in order,
    words are closed, and lines that are written downwards are whole. Each span gets its `text`.
    """
    lines = [line for block in stext.extractRAWDICT()["blocks"] for line in block.get("lines", ())]
    lines = [line for line in lines if any(span["chars"] for span in line["spans"])]
    set_right(lines, stext)
    spans = [span for line in lines for span in line["spans"]]
    text = _give_texts(spans)
    if put_symbols(spans, stext, displayed):
        text = _give_texts(spans)
    has_new = put_raised(lines)
    has_new |= _SOFT_HYPHEN in text and _put_hyphens(lines)
    has_new |= _UNMAPPED.search(text) is not None and put_leaders(lines, displayed)
    if has_new:
        text = _give_texts(spans)
    if not text.isascii():  # as in the scripts that are written downwards
        lines = joined_downwards(lines)
    if may_run_leftwards(text) or _ACCENT.search(text):  # few pages have either, so that one look is enough
        for line in lines:
            _put_in_order(line)
    if _MAY_BE_SPACED.search(text):  # as on few pages
        for line in lines:
            _close_words(line)
    return lines


def _give_texts(spans: Sequence[dict[str, Any]]) -> str:
    """Give each span its `text`. Return all of it."""
    chars = chain.from_iterable([span["chars"] for span in spans])
    text = "".join([char["c"] for char in chars])  # each has one code point
    end = 0
    for span in spans:
        start, end = end, end + len(span["chars"])
        span["text"] = text[start:end]
    return text


def _put_hyphens(lines: Sequence[dict[str, Any]]) -> bool:
    """Put a hyphen in the place of each soft hyphen that takes up room; return whether there are any.

    Others mark where a word may be divided, and are not painted. `readable` sees to one at the end of a line.
    """
    has_any = False
    for line in lines:
        chars = [(char, span["size"]) for span in line["spans"] for char in span["chars"]]
        for (char, size), (following, _) in pairwise(chars):
            if char["c"] == _SOFT_HYPHEN and math.dist(char["origin"], following["origin"]) > _PAINTED * size:
                char["c"], has_any = "-", True
    return has_any


def _put_in_order(line: dict[str, Any]) -> None:
    """Join the accents of a line with their letters, and put its ligatures in order."""
    spans = line["spans"]
    text = "".join([span["text"] for span in spans])
    is_leftwards = may_run_leftwards(text)
    if is_leftwards or _ACCENT.search(text):
        chars = [char for span in spans for char in span["chars"]]
        _put_accents(chars)
        if is_leftwards:
            turn_ligatures(chars)
        _give_texts(spans)


def _close_words(line: dict[str, Any]) -> None:
    """Remove the spaces that MuPDF puts between letters that are set apart, as in some headings.

    Those between words are in the file, or are found again because they are wider.
    """
    spans = line["spans"]
    chars = [char for span in spans for char in span["chars"]]
    text = "".join([char["c"] for char in chars])
    places = (index for found in _SPACED.finditer(text) for index in range(*found.span()))
    spaces = {id(chars[index]) for index in places if chars[index]["synthetic"] and text[index] == " "}
    if spaces:
        for span in spans:
            span["chars"] = [char for char in span["chars"] if id(char) not in spaces]
        line["spans"] = [span for span in spans if span["chars"]]
        _give_texts(line["spans"])


def _put_accents(chars: list[dict[str, Any]]) -> None:
    """Join each accent with the letter below it, which TeX prints as two characters."""
    for accent, letter in pairwise(chars):
        if accent["c"] not in ACCENTS or not letter["c"].isalpha():
            continue
        whole = accented(accent["c"], letter["c"])
        left, _, right, _ = letter["bbox"]
        if whole and left <= (accent["bbox"][0] + accent["bbox"][2]) / 2 <= right:
            accent["c"], letter["c"] = _NOTHING, whole


def _is_glyph(kind: str, box: Rect) -> bool:
    """Whether a filled path has the size of a letter: 3 to 40 points high, 1 to 60 wide."""
    return kind == "fill-path" and 3 <= box[3] - box[1] <= 40 and 1 <= box[2] - box[0] <= 60


@dataclass(frozen=True, slots=True)
class _Found:
    """The visible part of a line, without boxes."""

    text: str  # as it is printed
    words: list[str]  # as they are printed; may be empty, for characters without meaning
    parts: list[tuple[int, int]]  # start and end of each word, as indexes of the characters of the page
    direction: tuple[float, float]  # see `direction_of`
    fonts: dict[str, str]  # as in `TextRun`
    lost: int = 0  # as in `TextRun`


def _runs(lines: Sequence[dict[str, Any]], seen: VisibleText) -> list[TextRun]:
    """The visible parts of lines that have any. All lines have characters."""
    spans = [span for line in lines for span in line["spans"]]
    sides = sides_of(lines)
    sizes = np.repeat([span["size"] for span in spans], [len(span["chars"]) for span in spans])
    texts, fonts = zip(*(_text_of(line, seen) for line in lines), strict=True)
    ends = list(accumulate(map(len, texts), initial=0))
    whole = "".join(texts)
    is_leftwards = may_run_leftwards(whole) and runs_leftwards(whole)
    ordered = [
        _ordered(text, sizes[start:end], sides[start:end], is_leftwards)
        for text, (start, end) in zip(texts, pairwise(ends), strict=True)
    ]
    gaps = gaps_of("".join(ordered), sizes, sides)
    gaps[ends[:-1]] = NO_GAP
    widest = np.maximum.reduceat(gaps, ends[:-1]).tolist()
    found: list[_Found] = []
    again = repeated(ordered, sides, [direction_of(line) for line in lines])
    for index, (line, text, start, end, gap, by_font) in enumerate(
        zip(lines, ordered, ends, ends[1:], widest, fonts, strict=False)
    ):
        if index in again:
            continue
        spaced = missing_spaces(text, gaps[start:end]) if gap > TIGHT and not line["wmode"] else []
        part = _found(text, start, spaced, direction_of(line), by_font)
        if part.words and _UNMAPPED.search(text):
            words = [(begin - start, stop - start) for begin, stop in part.parts]
            part = replace(part, lost=_lost(text, words, sides[start:end], part.direction, seen.grey))
        if part.words:
            found.append(part)
    return _placed(found, sides) if found else []


def _found(
    text: str, start: int, spaced: Sequence[int], direction: tuple[float, float], fonts: dict[str, str]
) -> _Found:
    """The words of a line, whose first character has the index `start` on the page."""
    parts = _words_of(text, spaced)
    words = [text[begin:end] for begin, end in parts]
    places = [(start + begin, start + end) for begin, end in parts]
    is_as_typed = is_plain(text)
    for index in reversed(spaced):
        text = f"{text[:index]} {text[index:]}"
    if is_as_typed:  # as nearly every line is
        return _Found(" ".join(text.split()), words, places, direction, fonts)
    return _Found(readable(text), list(map(readable, words)), places, direction, fonts)


def _lost(text: str, words: Sequence[tuple[int, int]], sides: Array, direction: Point, grey: Painting) -> int:
    """How many words of a line have a character without meaning that has ink.

    Some programs write control characters, upon which the next character is printed.
    """
    places = sides.tolist()
    count = 0
    for begin, end in words:
        for index in (index for index in range(begin, end) if is_unmapped(text[index])):
            left, top, right, bottom = places[index]
            room = right - left if index + 1 == len(text) else places[index + 1][0] - left
            if room > (right - left) / 4 and (direction != (1.0, 0.0) or grey.has_ink((left, top, right, bottom))):
                count += 1
                break
    return count


def _placed(found: Sequence[_Found], sides: Array) -> list[TextRun]:
    """The lines with their boxes. `sides` are those of all characters of the page."""
    counts = [len(line.words) for line in found]
    ends = list(accumulate(counts, initial=0))
    boxes = merged(sides, [part for line in found for part in line.parts])
    cos, sin = np.array([line.direction for line in found]).T
    words = corners_of(boxes, cos.repeat(counts), sin.repeat(counts))
    lines = corners_of(merged(boxes, list(pairwise(ends))), cos, sin)
    runs: list[TextRun] = []
    for line, quad, (start, end) in zip(found, quads_of(lines), pairwise(ends), strict=True):
        own = words[start:end]
        if not all(line.words):
            own = own[[bool(word) for word in line.words]]
        runs.append(TextRun(line.text, quad, tuple(filter(None, line.words)), own, line.fonts, line.lost))
    return runs


def _text_of(line: dict[str, Any], seen: VisibleText) -> tuple[str, dict[str, str]]:
    """The characters of a line, those that are not visible as spaces; and the raw ones by font name."""
    parts = seen.shown(line)
    fonts: dict[str, str] = {}
    for span, part in zip(line["spans"], parts, strict=True):
        font = span["font"]
        fonts[font] = fonts[font] + part if font in fonts else part
    return "".join(parts), fonts


def _ordered(text: str, sizes: Array, sides: Array, is_leftwards: bool) -> str:
    """The characters of a line in the order of reading. Their sizes and sides are put in this order in place.

    `is_leftwards`: whether most letters of the page run to the left.
    """
    if not may_run_leftwards(text):
        return text
    order = reading_order(text, sides, is_leftwards)
    sizes[:], sides[:] = sizes[order], sides[order]
    return "".join([text[index] for index in order])


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
