"""Whether extracted text can be the printed text, or comes from a font without a character map. Uses no dictionary."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.characters import is_unmapped

_MAX_UNMAPPED = 0.15  # share of characters without meaning
_ENOUGH_LETTERS = 120  # letters: the frequencies of fewer say too little
_MAX_BITS = 4.9  # mean bits per letter; languages in Latin script need 4.1 to 4.7, a shuffled alphabet 4.8 to 5.6
_ENOUGH_WORDS = 20  # words of four letters or more: fewer say too little
_MAX_VOWELLESS = 0.25  # share of these words without a vowel; languages in Latin script have 0.03
_MAX_ACCENTED = 0.6  # share of Latin letters with an accent; Vietnamese has a third
_MAX_SYMBOLS = 0.6  # share of characters that are symbols; dense program text has half
_KINDS = 5  # different symbols; dot leaders and rules have fewer
_LAST_CODE = "\u0100"  # symbols from here on are intended: ticks, arrows, box drawing
_MAX_REPEATED = 0.6  # share of letters that are the same letter
_FEW = 20  # characters: fewer are not judged by their symbols, accents or repetitions
_CID = re.compile(r"\(cid:\d+\)")
_RUN = re.compile(r"(.)\1{2,}")
_WORD = re.compile(r"[a-zß-ÿ]{4,}")
_VOWELS = frozenset("aeiouyäöüàáâèéêìíòóôõùúæøœ")
_FIRST_CODE, _ENOUGH_CODES = 0x21, 6  # the code after the space; so many different codes in order are no coincidence
# Rough frequencies of letters without accents, per mille, over the European languages in Latin script.
_LETTERS = {
    "e": 138, "a": 92, "i": 80, "n": 75, "o": 68, "r": 65, "t": 65, "s": 63, "l": 45, "d": 40, "u": 40, "c": 31,
    "m": 30, "h": 28, "p": 26, "g": 22, "k": 17, "b": 16, "v": 15, "f": 13, "z": 11, "y": 11, "w": 9, "j": 6, "x": 3,
    "q": 3,
}  # fmt: skip
# Bits per letter: -log2 of its frequency (Shannon, 1948). The frequencies add up to 1,012.
_COST = {letter: -math.log2(share / 1012) for letter, share in _LETTERS.items()}


def is_gibberish(text: str) -> bool:
    """Whether a text cannot be the printed text: its characters have no meaning, or stand for other characters."""
    if len(_CID.findall(text)) >= 3:
        return True
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    every = _counted(codes)
    has_runs = ((codes[2:] == codes[1:-1]) & (codes[1:-1] == codes[:-2])).any()  # the search for them takes long
    chars = _of_kind(Counter(_RUN.sub(r"\1", text)) if has_runs else every, str.isspace, wanted=False)
    if not chars:
        return False
    unmapped = sum(count for c, count in chars.items() if is_unmapped(c))
    if unmapped > _MAX_UNMAPPED * chars.total() or is_numbered(text):
        return True
    letters = _of_kind(every, str.isalpha, wanted=True)
    return _is_repeated(letters) or _is_symbols(chars) or _is_shuffled(letters) or _lacks_vowels(text)


def _counted(codes: "np.ndarray[Any, Any]") -> "Counter[str]":
    """How often each character is in a text, by their codes: faster than `Counter`."""
    counts = np.bincount(codes)
    present = counts.nonzero()[0]
    return Counter(dict(zip(map(chr, present.tolist()), counts[present].tolist(), strict=True)))


def _of_kind(chars: "Counter[str]", kind: Callable[[str], bool], *, wanted: bool) -> "Counter[str]":
    """The counts of the characters that are, or are not, of this kind."""
    return Counter({c: count for c, count in chars.items() if kind(c) == wanted})


def _is_repeated(letters: "Counter[str]") -> bool:
    """Whether most letters are the same letter."""
    count = letters.total()
    return count >= _FEW and max(letters.values()) > _MAX_REPEATED * count


def _is_symbols(chars: "Counter[str]") -> bool:
    """Whether most characters are symbols of several kinds."""
    symbols = [c for c in chars if c < _LAST_CODE and unicodedata.category(c)[0] in "PS"]
    count = chars.total()
    return count >= _FEW and sum(chars[c] for c in symbols) > _MAX_SYMBOLS * count and len(symbols) >= _KINDS


def is_numbered(text: str) -> bool:
    r"""Whether new characters appear in the order `!"#$...`: some PDF writers number characters so, without a map."""
    if not text.lstrip().startswith(chr(_FIRST_CODE)):
        return False
    codes = [ord(c) for c in dict.fromkeys(text) if not c.isspace()]
    return len(codes) >= _ENOUGH_CODES and codes == list(range(_FIRST_CODE, _FIRST_CODE + len(codes)))


def _is_shuffled(letters: "Counter[str]") -> bool:
    """Whether the frequencies of Latin letters fit no language."""
    latin = {c: count for c, count in letters.items() if "LATIN" in unicodedata.name(c, "")}
    total = sum(latin.values())
    if total < _FEW:
        return False
    if sum(count for c, count in latin.items() if not c.isascii()) > _MAX_ACCENTED * total:
        return True
    plain = [(unicodedata.normalize("NFD", c)[0].lower(), count) for c, count in latin.items()]
    known = [(_COST[c], count) for c, count in plain if c in _COST]
    number = sum(count for _, count in known)
    return number >= _ENOUGH_LETTERS and sum(cost * count for cost, count in known) / number > _MAX_BITS


def _lacks_vowels(text: str) -> bool:
    """Whether many words in Latin script have no vowel."""
    plain = text.lower()
    if not text.isascii():
        plain = unicodedata.normalize("NFD", plain)
        for mark in filter(unicodedata.combining, set(plain)):
            plain = plain.replace(mark, "")
    words = _WORD.findall(plain)
    return len(words) >= _ENOUGH_WORDS and sum(map(_VOWELS.isdisjoint, words)) > _MAX_VOWELLESS * len(words)
