"""Where words, lines, paragraphs and tables stand in the content of an Azure result, counted in Unicode code points."""

import re
import string
from collections.abc import Iterable, Sequence

Span = dict[str, int]  # offset and length
_BETWEEN = r"(?:\s|<br>|\\\n)+"  # what Markdown may have for the blank between two words
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}  # in tables that are HTML
_LOOSE = {
    char: rf"(?:\\?{re.escape(char)}" + (f"|{_ENTITIES[char]})" if char in _ENTITIES else ")")
    for char in string.punctuation
}
_AHEAD = 40  # characters of Markdown that may stand between two lines


class Places:
    """Finds texts in a part of a page's content, each after the one before it."""

    def __init__(self, text: str, start: int, begin: int = 0, end: int | None = None) -> None:
        """`text` is the content of the page, which begins at `start`. It is searched from `begin` to before `end`."""
        self._text = text
        self._start = start
        self._begin = self._next = begin
        self._end = len(text) if end is None else end

    def next(self, wanted: str) -> Span | None:
        """The span of a text, as it is or as Markdown writes it; None if it is not there in one piece."""
        found = self._search(wanted, self._next)
        if found is None:
            return None
        self._next = found[1]
        return self._span(*found)

    def find(self, wanted: str) -> Span | None:
        """The same; the text may also stand before the one before it."""
        found = self.next(wanted)
        if found is None and (before := self._search(wanted, self._begin)):
            return self._span(*before)
        return found

    def line(self, wanted: str) -> tuple[Span, list[Span]]:
        """The spans of a line and of its words; empty ones of what is not there.

        Markdown joins a word that goes on in the next line, so the words of such a line are looked for one by one.
        """
        line = self.find(wanted)
        if line is not None:
            inside = self.inside(line)
        else:
            end = min(self._end, self._next + 2 * len(wanted) + _AHEAD)
            inside = Places(self._text, self._start, self._next, end)
        spans = [inside.next(word) or inside.here() for word in wanted.split()]
        known = [span for span in spans if span["length"]]
        if line is None and known:
            self._next = inside._next
            line = union(known)
        return line or self.here(), spans

    def inside(self, span: Span) -> "Places":
        """Finds texts in a span of the content."""
        begin = span["offset"] - self._start
        return Places(self._text, self._start, begin, begin + span["length"])

    def here(self) -> Span:
        """An empty span after the last text."""
        return self._span(self._next, self._next)

    def _search(self, wanted: str, begin: int) -> tuple[int, int] | None:
        """Start and end of the first place of a text, which is no part of a longer word or number."""
        words = wanted.split()
        if not words:
            return None
        place = self._text.find(wanted, begin, self._end)
        while place >= 0 and self._is_part(place, place + len(wanted)):
            place = self._text.find(wanted, place + 1, self._end)
        if place >= 0:
            return place, place + len(wanted)
        loose = _BETWEEN.join("".join([_LOOSE.get(char, char) for char in word]) for word in words)
        match = re.compile(loose).search(self._text, begin, self._end)
        return match.span() if match and not self._is_part(*match.span()) else None

    def _is_part(self, begin: int, end: int) -> bool:
        """Whether a letter or digit of ASCII at an end of this place goes on beyond it."""
        ends = (self._text[max(0, begin - 1) : begin + 1], self._text[end - 1 : end + 1])
        return any(len(pair) == 2 and pair.isascii() and pair.isalnum() for pair in ends)

    def _span(self, begin: int, end: int) -> Span:
        return {"offset": self._start + begin, "length": end - begin}


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in the order of the content, those with at most one character between them as one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span["offset"]):
        if found and span["offset"] <= _end(found[-1]) + 1:
            found[-1] = union([found[-1], span])
        else:
            found.append(span)
    return found


def union(spans: Sequence[Span]) -> Span:
    """The span from the first to the last of some spans; there is at least one."""
    begin = min(span["offset"] for span in spans)
    return {"offset": begin, "length": max(map(_end, spans)) - begin}


def around(text: str, start: int, cells: Iterable[Span]) -> Span | None:
    """The span of a table in Markdown that has these cells: whole lines, or its HTML; None if it has no cell.

    `text` is the content of the page, which begins at `start`.
    """
    known = [span for span in cells if span["length"]]
    if not known:
        return None
    whole = union(known)
    first, last = whole["offset"] - start, _end(whole) - start
    html = text.rfind("<table", 0, first)
    if html >= 0 and "</table>" not in text[html:first] and (end := text.find("</table>", last)) >= 0:
        return {"offset": start + html, "length": end + len("</table>") - html}
    begin, end = text.rfind("\n", 0, first) + 1, text.find("\n", last)
    return {"offset": start + begin, "length": (len(text) if end < 0 else end) - begin}


def _end(span: Span) -> int:
    """The offset after a span."""
    return span["offset"] + span["length"]
