"""What a reading says about itself: how sure the engine was, and whether the letters look like a language.

All signals come from the lines that the engine returned, so they cost about a thousandth of the time to read the page.
Others were measured and left out, because they add nothing to these: docs/benchmarks.md.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ocrqueue.pages import Line, PageText

# Words that have a vowel in every language with Latin letters. What touches other signs or digits is part of a path, a
# command or a number, such as "drwxr-xr-x" and "/dev/sdb1".
_SHORT = re.compile(r"""(?<![^\s("'«»„“”‚‘’¿¡])[^\W\d_]{2,5}(?![^\s.,;:!?)"'«»„“”‚‘’])""")
_FEW = 25  # short words; of fewer ones, such as names in a Chinese text, a share says little
_VOWELS = frozenset("aeiouyæœøı")
_SYLLABIC = frozenset("rl")  # take the place of a vowel in Slavic words of three letters and more, such as "smrt"
# Common German words and syllables with a long s, read as f. No other language has them, and German has an s there.
_LONG_S = re.compile(
    r"\bfch|fch[lmnrtw]|\b(?:ift|fich|diefe[mnrs]?|fehr|felbft|fondern|alfo|müffen|laffen|wiffen|deffen|unfere?[mnrs]?"
    r"|zufammen|gewefen|zwifchen)\b"
)
_ENOUGH = 200  # words; of fewer ones, a share of rare words says little
_GREEK = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a reading; all from 0 to 1."""

    sure: float  # mean confidence of the lines, weighted by their lengths
    tenth: float  # confidence that nine lines in ten have at least
    unread: float  # see `PageText.unread`
    bare: float  # share of the short words in small Latin letters without a vowel; an engine leaves out unknown letters
    fraktur: float  # share of the words that are common German ones with a long s, read as f
    greek: float  # share of the letters that are Greek


def signals_of(page: PageText) -> Signals | None:
    """The signals of a page as an engine returned it; None if it has no line with a confidence."""
    lines = [(line.confidence, len(line.text)) for line in page.lines if line.confidence is not None and line.text]
    if not lines:
        return None
    ascending = sorted(confidence for confidence, _ in lines)
    text = "\n".join([line.text for line in page.lines])
    return Signals(
        sure=sum(confidence * length for confidence, length in lines) / sum(length for _, length in lines),
        tenth=ascending[len(ascending) // 10],
        unread=page.unread,
        bare=_bare(page.lines),
        fraktur=_fraktur(text),
        greek=_greek(text),
    )


def _bare(lines: Sequence[Line]) -> float:
    short = [word for line in lines for word in _SHORT.findall(line.text) if word.islower() and _is_latin(word)]
    return sum(not _has_vowel(word) for word in short) / max(_FEW, len(short))


def _fraktur(text: str) -> float:
    words = text.lower().split()
    found = _LONG_S.findall(" ".join([word for word in words if "f" in word]))
    return len(found) / max(_ENOUGH, len(words))


def _greek(text: str) -> float:
    found = len(_GREEK.findall(text))
    return found / sum(map(str.isalpha, text)) if found else 0.0


def _is_latin(word: str) -> bool:
    return word.isascii() or all(unicodedata.name(letter, "").startswith("LATIN") for letter in word)


def _has_vowel(word: str) -> bool:
    plain = word if word.isascii() else unicodedata.normalize("NFD", word)
    return not _VOWELS.isdisjoint(plain) or (len(word) > 2 and not _SYLLABIC.isdisjoint(plain))
