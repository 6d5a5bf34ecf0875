"""From the pixels of a page to lines of text, by Tesseract."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrqueue.geometry import Quad
from ocrqueue.pages import Line, Word

if TYPE_CHECKING:
    from PIL.Image import Image

_LINE, _WORD, _SYMBOL = 2, 3, 4  # Tesseract's numbers for a line, a word and a character: RIL.TEXTLINE, ...
_LEFTWARDS = 2, 3  # its numbers for words that run to the left, wholly or in part: DIR_RIGHT_TO_LEFT and DIR_MIX
_LEAST_SLOPE = 1.0  # pixels over the length of a line: a line that rises or falls by less is level
_THINNEST = 0.4  # times the height of its bounding box: a line that leans is at least so high
# Characters of scripts without spaces between words. Tesseract puts spaces between them all the same.
_IDEOGRAPH = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
_SPACES = re.compile(rf"(?<={_IDEOGRAPH})\s+(?={_IDEOGRAPH})")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_HANGUL_GAP = 0.28  # times the height of a line: a gap between Korean words is at least so wide
_VARIABLES = {
    "debug_file": "/dev/null",  # otherwise it writes to stderr about every page
}


class LoadError(Exception):
    """Tesseract cannot load the data of a language."""


class LanguageReader:
    """Tesseract with the data of some languages in memory."""

    def __init__(self, folder: Path, wanted: str) -> None:
        """Load the data in `folder` that `wanted` names, such as "rus+eng". Raises LoadError."""
        import tesserocr

        try:
            self._api: Any = tesserocr.PyTessBaseAPI(
                path=str(folder),
                lang=wanted,
                psm=tesserocr.PSM.AUTO,
                oem=tesserocr.OEM.LSTM_ONLY,
                variables=_VARIABLES,
            )
        except RuntimeError as e:
            raise LoadError(wanted) from e
        if missing := set(wanted.split("+")) - set(self._api.GetLoadedLanguages()):  # it goes on with the other ones
            self.close()
            raise LoadError(", ".join(sorted(missing)))

    def lines(self, page: "Image") -> list[Line]:
        """The lines of a page, in Tesseract's reading order."""
        grey = page.convert("L")
        try:
            self._api.SetImageBytes(grey.tobytes(), grey.width, grey.height, 1, grey.width)
            self._api.Recognize()
            found = self._api.GetIterator()
            return list(_lines(found)) if found is not None else []
        finally:
            self._api.Clear()  # the page image

    def close(self) -> None:
        """Free the data."""
        self._api.End()


@dataclass(slots=True)
class _Row:
    """A line while its words are collected."""

    text: str  # right only if no word runs to the left
    box: Quad
    words: list[Word] = field(default_factory=list)
    is_leftwards: bool = False  # whether a word runs to the left

    def line(self) -> Line:
        """The line. Its confidence is the mean over its words, weighted by their lengths."""
        confidence = _mean(self.words) if self.words else None
        text, words = self.text, self.words
        if self.is_leftwards:
            text = " ".join(word.text for word in words)
        if _HANGUL.search(text):
            words = list(_joined(words, self.box[3][1] - self.box[0][1]))
            text = " ".join(word.text for word in words)
        lefts = [word.box[0][0] for word in words]
        ascending = lefts == sorted(lefts)  # text from the right or downwards has no words for the layout
        return Line(text, self.box, confidence, words=tuple(words) if ascending else ())


def _mean(words: Sequence[Word]) -> float:
    """The mean confidence of words, each weighted by its length."""
    return sum((word.confidence or 0.0) * len(word.text) for word in words) / sum(len(word.text) for word in words)


def _joined(words: Iterable[Word], height: float) -> Iterator[Word]:
    """The words of a Korean line that is `height` pixels high. Tesseract takes many a gap in a word for a blank."""
    last: Word | None = None
    for word in words:
        if last is None:
            last = word
        elif (
            _HANGUL.match(last.text[-1])
            and _HANGUL.match(word.text[0])
            and word.box[0][0] - last.box[1][0] < _HANGUL_GAP * height
        ):
            box = last.box[0], word.box[1], word.box[2], last.box[3]
            last = Word(last.text + word.text, box, _mean([last, word]))
        else:
            yield last
            last = word
    if last is not None:
        yield last


def _lines(found: Any) -> Iterator[Line]:
    """The lines with text. `found` is Tesseract's iterator over a page."""
    from tesserocr import iterate_level

    row: _Row | None = None
    for at in iterate_level(found, _WORD):
        if at.Empty(_WORD):  # on a blank page, and where there is a picture
            continue
        if at.IsAtBeginningOf(_LINE):
            if row is not None:
                yield row.line()
            row = _row(at)
        box, confidence = at.BoundingBox(_WORD), at.Confidence(_WORD)
        is_leftwards = not at.ParagraphIsLtr() or at.WordDirection() in _LEFTWARDS
        text = (_leftwards(at) if is_leftwards else at.GetUTF8Text(_WORD) or "").strip()
        if row is not None and text and box:
            row.words.append(Word(text, _leaning(box, None), confidence / 100))
            row.is_leftwards |= is_leftwards
    if row is not None:
        yield row.line()


def _leftwards(at: Any) -> str:
    """The text of a word that runs to the left, in logical order. Moves the iterator to its last character.

    The words of a line and the characters of a word come in logical order, but `GetUTF8Text` of tesserocr returns what
    is larger than a character from left to right. Brackets are those that one sees.
    """
    text = ""
    while True:
        text += at.GetUTF8Text(_SYMBOL) or ""
        if at.IsAtFinalElement(_WORD, _SYMBOL) or not at.Next(_SYMBOL):
            return text


def _row(at: Any) -> _Row | None:
    """The line that begins here; None if it is empty, such as a ruled line."""
    text = "" if at.Empty(_LINE) else _SPACES.sub("", (at.GetUTF8Text(_LINE) or "").strip())
    box = at.BoundingBox(_LINE)
    return _Row(text, _leaning(box, at.Baseline(_LINE))) if text and box else None


def _leaning(box: tuple[int, int, int, int], baseline: Any) -> Quad:
    """The corners of a line with this bounding box (left, top, right, bottom), which leans as its baseline does."""
    left, top, right, bottom = map(float, box)
    fall = 0.0
    if baseline:
        (x1, y1), (x2, y2) = baseline
        fall = (y2 - y1) / (x2 - x1) * (right - left) if x2 > x1 else 0.0
    if abs(fall) < _LEAST_SLOPE or bottom - top - abs(fall) < _THINNEST * (bottom - top):
        return (left, top), (right, top), (right, bottom), (left, bottom)
    down, up = max(fall, 0.0), max(-fall, 0.0)
    return (left, top + up), (right, top + down), (right, bottom - up), (left, bottom - down)
