"""Whether extracted text can be the printed text, or comes from a font without a character map. Uses no dictionary."""

import math
import re
import unicodedata
from functools import lru_cache
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
_CID_START, _CID = "(cid:", re.compile(r"\(cid:\d+\)")
_LONG = 4  # letters of a word, at least
_VOWELS = "aeiouyäöüàáâèéêìíòóôõùúæøœ"
_TOGETHER = re.compile(r"[^\W\d_]{2,}")
_WORD_PART = re.compile("[a-zß-ÿ]")
_WORD = re.compile(rf"[a-zß-ÿ]{{{_LONG},}}")
_OTHERS = "".join(c for c in map(chr, range(0x100)) if _WORD_PART.match(c) and c not in _VOWELS)
_VOWELLESS = re.compile(rf"(?<![a-zß-ÿ])[{_OTHERS}]{{{_LONG},}}(?![a-zß-ÿ])")  # a word without a vowel
_FIRST_CODE, _ENOUGH_CODES = 0x21, 6  # the code after the space; so many different codes in order are no coincidence
# Rough frequencies of letters without accents, per mille, over the European languages in Latin script.
_LETTERS = {
    "e": 138, "a": 92, "i": 80, "n": 75, "o": 68, "r": 65, "t": 65, "s": 63, "l": 45, "d": 40, "u": 40, "c": 31,
    "m": 30, "h": 28, "p": 26, "g": 22, "k": 17, "b": 16, "v": 15, "f": 13, "z": 11, "y": 11, "w": 9, "j": 6, "x": 3,
    "q": 3,
}  # fmt: skip
# Bits per letter: -log2 of its frequency (Shannon, 1948). The frequencies add up to 1,012.
_COST = {letter: -math.log2(share / 1012) for letter, share in _LETTERS.items()}

Counts = dict[str, int]  # how often each character is in a text


def is_gibberish(text: str) -> bool:
    """Whether a text cannot be the printed text: its characters have no meaning, or stand for other characters."""
    if text.count(_CID_START) >= 3 and len(_CID.findall(text)) >= 3:
        return True
    codes = _codes_of(text)
    every = _counted(codes)
    chars = {c: count for c, count in every.items() if not c.isspace()}
    for c, length in _runs(codes):
        if c in chars:
            chars[c] -= length - 1
    if not chars:
        return False
    unmapped = sum([count for c, count in chars.items() if is_unmapped(c)])
    if unmapped > _MAX_UNMAPPED * sum(chars.values()) or is_numbered(text):
        return True
    letters = {c: count for c, count in every.items() if c.isalpha()}
    # Single letters tell nothing: see "10 x 15", or a column of marks.
    if _are_odd(letters) and _are_odd(_counted(_codes_of("".join(_TOGETHER.findall(text))))):
        return True
    return _is_symbols(chars) or _lacks_vowels(text, every)


def _codes_of(text: str) -> "np.ndarray[Any, Any]":
    """The codes of the characters of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _counted(codes: "np.ndarray[Any, Any]") -> Counts:
    """How often each character is in a text, by their codes."""
    present, counts = np.unique(codes, return_counts=True)
    return dict(zip(map(chr, present.tolist()), counts.tolist(), strict=True))


def _runs(codes: "np.ndarray[Any, Any]") -> list[tuple[str, int]]:
    """The character and the length of each run of three or more that are the same. They count as one."""
    same = codes[1:] == codes[:-1]
    if not (same[1:] & same[:-1]).any():
        return []
    begins = np.concatenate([[True], ~same]).nonzero()[0]
    lengths = np.diff(begins, append=len(codes))
    is_long = lengths > 2
    return list(zip(map(chr, codes[begins[is_long]].tolist()), lengths[is_long].tolist(), strict=True))


def _are_odd(letters: Counts) -> bool:
    """Whether letters cannot be of words: most are the same one, or their frequencies fit no language."""
    return _is_repeated(letters) or _is_shuffled(letters)


def _is_repeated(letters: Counts) -> bool:
    """Whether most letters are the same letter."""
    count = sum(letters.values())
    return count >= _FEW and max(letters.values()) > _MAX_REPEATED * count


def _is_symbols(chars: Counts) -> bool:
    """Whether most characters are symbols of several kinds."""
    count = sum(chars.values())
    if count < _FEW:
        return False
    symbols = [c for c in chars if c < _LAST_CODE and unicodedata.category(c)[0] in "PS"]
    return sum([chars[c] for c in symbols]) > _MAX_SYMBOLS * count and len(symbols) >= _KINDS


def is_numbered(text: str) -> bool:
    r"""Whether new characters appear in the order `!"#$...`: some PDF writers number characters so, without a map."""
    if not text.lstrip().startswith(chr(_FIRST_CODE)):
        return False
    codes = [ord(c) for c in dict.fromkeys(text) if not c.isspace()]
    return len(codes) >= _ENOUGH_CODES and codes == list(range(_FIRST_CODE, _FIRST_CODE + len(codes)))


def _is_shuffled(letters: Counts) -> bool:
    """Whether the frequencies of Latin letters fit no language."""
    latin = {c: count for c, count in letters.items() if _is_latin(c)}
    total = sum(latin.values())
    if total < _FEW:
        return False
    if sum([count for c, count in latin.items() if not c.isascii()]) > _MAX_ACCENTED * total:
        return True
    known = [(_COST[plain], count) for c, count in latin.items() if (plain := _plain(c)[0]) in _COST]
    number = sum([count for _, count in known])
    return number >= _ENOUGH_LETTERS and sum([cost * count for cost, count in known]) / number > _MAX_BITS


def _lacks_vowels(text: str, every: Counts) -> bool:
    """Whether many words in Latin script have no vowel. `every` are the counts of the text's characters."""
    if sum([count for c, count in every.items() if _is_part_of_word(c)]) < _LONG * _ENOUGH_WORDS:
        return False  # too few letters for enough words
    plain = text.lower()
    if not text.isascii():
        plain = unicodedata.normalize("NFD", plain)
        for mark in filter(unicodedata.combining, set(plain)):
            plain = plain.replace(mark, "")
    vowelless = len(_VOWELLESS.findall(plain))
    if vowelless <= _MAX_VOWELLESS * _ENOUGH_WORDS:
        return False  # as nearly always: the words need not be counted
    words = len(_WORD.findall(plain))
    return words >= _ENOUGH_WORDS and vowelless > _MAX_VOWELLESS * words


@lru_cache(4096)
def _is_latin(char: str) -> bool:
    """Whether a character is a letter of the Latin script."""
    return "LATIN" in unicodedata.name(char, "")


@lru_cache(4096)
def _is_part_of_word(char: str) -> bool:
    """Whether a character, without its accents, may be part of what `_WORD` finds."""
    return _WORD_PART.match(_plain(char)) is not None


@lru_cache(4096)
def _plain(char: str) -> str:
    """A character in lower case, followed by its accents."""
    return unicodedata.normalize("NFD", char.lower())
