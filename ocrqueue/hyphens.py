"""Joins the lines of a paragraph. A hyphen at the end of a line divides a word, or belongs to a compound: "well-known".

No dictionary is used, so that it works in every language. The words of the page or document say how a word is written
elsewhere and, if they do not contain it, whether the document divides words at all: a document with many hyphens
inside of its lines has some at the ends of lines, too, and one that divides words has many more there.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_HYPHENS = "-\u2010⸗"  # hyphen-minus, hyphen, double oblique hyphen
_HYPHEN = rf"[{_HYPHENS}]"
_SOFT_HYPHEN = "\u00ad"
_WORD = re.compile(rf"[^\W_]+(?:{_HYPHEN}[^\W_]+)*")
_LAST = re.compile(rf"([^\W_]+(?:{_HYPHEN}[^\W_]+)*){_HYPHEN}\Z")
_ADDRESS = re.compile(r"(?i)(?:://|www\.|@)\S*\Z")  # of the web, or for e-mail, at the end of a line
_LONGEST = 200  # characters at the end of a line that are examined
# "Vor- und Nachteile": what follows a hyphen and is no part of the word. No word is divided before its last letter.
_CONJUNCTION = re.compile(r"(?:and|or|und|oder|sowie|bzw\.|et|ou|och|eller|[^\W\d_])\s")
# Chosen on every second text of the corpus, wrapped with and without divided words, and checked on the others.
_UNSEEN = 0.3  # compounds that are supposed in a text beside those that were seen
_FEWEST = 0.3  # divided words that are supposed in a text, at least
_PARTS = 3.0  # a word whose two parts are words elsewhere is so many times as likely to be a compound
# Scripts without spaces between words: Chinese and Japanese.
_UNSPACED = re.compile(r"[\u2e80-\u312f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


class Words:
    """How the words of a page or of a document are written. Add all its lines before the first is joined."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()  # words and compounds, in lower case, that are not divided
        self._lines = self._words = 0
        self._compounds = 0  # hyphens inside of lines
        self._ends = 0  # hyphens at the ends of lines

    def add(self, lines: Iterable[str]) -> None:
        """Add lines in reading order. Parts of words at the end of one and the beginning of the next are not words."""
        was_cut = False
        whole: list[str] = []
        for line in lines:
            text = line.strip()
            # For plain letters, the words in lower case are those of the line in lower case: one step instead of many.
            found = _WORD.findall(text.lower()) if text.isascii() else _key(" ".join(_WORD.findall(text))).split()
            is_cut = _last_word(text) is not None
            whole += found[bool(was_cut) : len(found) - is_cut]
            self._lines += 1
            self._words += len(found)
            self._ends += is_cut
            was_cut = is_cut
        self._seen.update(whole)
        self._compounds += "".join(whole).count("-")

    def divided(self, first: str, second: str) -> bool:
        """Whether a word was divided into these two parts; else they are the parts of a compound."""
        joined, compound = self._seen[_key(first + second)], self._seen[_key(f"{first}-{second}")]
        if joined != compound:
            return joined > compound
        # A compound is at the end of a line as often as any place between two words is.
        expected = (self._compounds + _UNSEEN) * self._lines / max(self._words, 1)
        odds = expected / max(self._ends - expected, _FEWEST)
        left, right = _key(first).rpartition("-"), _key(second).partition("-")
        if self._seen[left[2]] and self._seen[right[0]]:
            odds *= _PARTS
        return odds <= 1


def join_lines(lines: Sequence[str], words: Words | None = None) -> str:
    """The lines of a paragraph as one line, in which words that were divided at the end of a line are whole.

    `words` are those of the page or document; without them every hyphen before a small letter divides a word.
    """
    known = words or Words()
    parts: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        if parts:
            parts[-1], between = _link(parts[-1], line, known)
            parts.append(between)
        parts.append(line)
    return "".join(parts)


def _link(before: str, after: str, words: Words) -> tuple[str, str]:
    """The line before, without the hyphen of a divided word, and the separator between it and the line after."""
    if before.endswith(_SOFT_HYPHEN):
        return before[:-1], ""
    first, second = _last_word(before), _WORD.match(after)
    if first is None or second is None:
        return before, "" if _UNSPACED.match(before[-1]) and _UNSPACED.match(after) else " "
    if _CONJUNCTION.match(after):
        return before, " "
    may_divide = _may_divide(first, second[0]) and not _ADDRESS.search(before[-_LONGEST:])
    return before[:-1] if may_divide and words.divided(first, second[0]) else before, ""


def _last_word(line: str) -> str | None:
    """The last word of a line that ends with a hyphen, without that hyphen; None for any other line."""
    if not line.endswith(tuple(_HYPHENS)):  # nearly every line; the search would look at each of its characters
        return None
    found = _LAST.search(line[-_LONGEST:].rsplit(None, 1)[-1])
    return found and found[1]


def _may_divide(first: str, second: str) -> bool:
    """Whether a hyphen between these may divide a word: small letters, or capital letters on both sides of it."""
    left, right = re.split(_HYPHEN, first)[-1], re.split(_HYPHEN, second)[0]
    if right[0].islower():
        return left[-1].isalpha() and not (len(left) > 1 and left.isupper())
    return min(len(left), len(right)) > 1 and left.isalpha() and left.isupper() and right.isupper()


def _key(word: str) -> str:
    """A word as it is compared: in lower case, with plain hyphens."""
    return word.lower() if word.isascii() else word.casefold().replace("\u2010", "-").replace("⸗", "-")
