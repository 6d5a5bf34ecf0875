"""Where words, lines, paragraphs and tables stand in the content of an Azure result, counted in Unicode code points."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

Span = dict[str, int]  # offset and length
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'"}  # in tables that are HTML
# what Markdown may have for the blank between two words, and for another character
_ADDED = re.compile(r"(?:\s|<br>|\\\n)+|\\[!-/:-@\[-`{-~]|" + "|".join(_ENTITIES))
_AHEAD = 40  # characters of Markdown that may stand between two lines
_WORK, _WORK_EACH = 20_000_000, 100  # characters that are looked at for a page, and for each character of it
_NEAR = 4096  # characters that are looked at for a text after that: most texts stand near the one before
_PARTS = 100  # longer words with a text in them that are passed over


class Content:
    """The content of a page, and how much may still be looked at.

    Looking for each text in the whole content would take time for the square of its length.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._left = _WORK + _WORK_EACH * len(text)

    @cached_property
    def plain(self) -> "_Plain":
        """The content without what Markdown adds."""
        return _Plain(self.text)

    def search(self, text: str, wanted: str, begin: int, end: int) -> int:
        """The first place of a text, which is no part of a longer word or number; -1 if there is none, or it is far.

        `text` is the content, or its plain form.
        """
        if self._left < 0:
            end = min(end, begin + len(wanted) + _NEAR)
        for _ in range(_PARTS):
            place = text.find(wanted, begin, end)
            self._left -= (end if place < 0 else place) - begin + len(wanted)
            if place < 0 or not _is_part(text, place, place + len(wanted)):
                return place
            begin = place + 1
        return -1


class _Plain:
    """A text without what Markdown adds, and where each of its characters stands in the text."""

    def __init__(self, text: str) -> None:
        self._here, self._there = [0], [0]  # beginnings of the stretches that are the same in both
        parts, at, size = [], 0, 0
        for match in _ADDED.finditer(text):
            found = match[0]
            if found == " ":
                continue
            is_escape = found[0] == "\\" and found[1] != "\n"
            char = found[1] if is_escape else _ENTITIES.get(found, " ")
            parts += [text[at : match.start()], char]
            size, at = size + match.start() - at, match.end()
            self._here += [size, size + 1]
            self._there += [match.start(), match.end()]
            size += 1
        self.text = "".join([*parts, text[at:]])

    def there(self, here: int) -> int:
        """The place in the text of a place in the plain text."""
        at = bisect_right(self._here, here) - 1
        return self._there[at] + here - self._here[at]

    def here(self, there: int) -> int:
        """The place in the plain text of a place in the text."""
        at = bisect_right(self._there, there) - 1
        place = self._here[at] + there - self._there[at]
        return min(place, self._here[at + 1]) if at + 1 < len(self._here) else place


class Places:
    """Finds texts in a part of a page's content, each after the one before it."""

    def __init__(self, content: Content, start: int, begin: int = 0, end: int | None = None) -> None:
        """The content of the page begins at `start`. It is searched from `begin` to before `end`."""
        self._content = content
        self._start = start
        self._begin = self._next = begin
        self._end = len(content.text) if end is None else end

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
            inside = Places(self._content, self._start, self._next, end)
        spans = [inside.next(word) or inside.here() for word in wanted.split()]
        known = [span for span in spans if span["length"]]
        if line is None and known:
            self._next = inside._next
            line = union(known)
        return line or self.here(), spans

    def inside(self, span: Span) -> "Places":
        """Finds texts in a span of the content."""
        begin = span["offset"] - self._start
        return Places(self._content, self._start, begin, begin + span["length"])

    def here(self) -> Span:
        """An empty span after the last text."""
        return self._span(self._next, self._next)

    def _search(self, wanted: str, begin: int) -> tuple[int, int] | None:
        """Start and end of the first place of a text, as it is or as Markdown writes it."""
        words = wanted.split()
        if not words:
            return None
        content = self._content
        place = content.search(content.text, wanted, begin, self._end)
        if place >= 0:
            return place, place + len(wanted)
        plain, joined = content.plain, " ".join(words)
        place = content.search(plain.text, joined, plain.here(begin), plain.here(self._end))
        return None if place < 0 else (plain.there(place), plain.there(place + len(joined)))

    def _span(self, begin: int, end: int) -> Span:
        return {"offset": self._start + begin, "length": end - begin}


def _is_part(text: str, begin: int, end: int) -> bool:
    """Whether a letter or digit of ASCII at an end of this place goes on beyond it."""
    return _goes_on(text[max(0, begin - 1) : begin + 1]) or _goes_on(text[end - 1 : end + 1])


def _goes_on(pair: str) -> bool:
    return len(pair) == 2 and pair.isascii() and pair.isalnum()


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
