"""Whether text can be what is printed, or comes from a font whose codes say nothing. Knows no words of any language."""

import math
import re
import unicodedata
from collections import Counter

from ocrqueue.documents.pdf.characters import is_unmapped

_MAX_UNMAPPED = 0.15  # of characters
_ENOUGH_LETTERS = 120  # for their frequencies to say something
_MAX_BITS = 4.9  # for a letter; languages in Latin script have 4.1 to 4.7, a shuffled alphabet 4.8 to 5.6
_ENOUGH_WORDS = 20  # of four letters or more
_MAX_VOWELLESS = 0.25  # of these words; languages in Latin script have 0.03
_MAX_ACCENTED = 0.6  # of Latin letters; Vietnamese has a third
_MAX_SYMBOLS = 0.6  # of characters; dense program text has half
_KINDS = 5  # of symbols; leaders and rules have fewer
_LAST_CODE = "\u0100"  # symbols beyond are meant: ticks, arrows, box drawing
_MAX_REPEATED = 0.6  # of one character
_FEW = 20
_CID = re.compile(r"\(cid:\d+\)")
_RUN = re.compile(r"(.)\1{2,}")
_WORD = re.compile(r"[a-zß-ÿ]{4,}")
_VOWEL = re.compile("[aeiouyäöüàáâèéêìíòóôõùúæøœ]")
_FIRST_CODE, _ENOUGH_CODES = 0x21, 6
# Rough frequencies in per mille, over the languages of Europe; letters without their accents.
_LETTERS = {
    "e": 138, "a": 92, "i": 80, "n": 75, "o": 68, "r": 65, "t": 65, "s": 63, "l": 45, "d": 40, "u": 40, "c": 31,
    "m": 30, "h": 28, "p": 26, "g": 22, "k": 17, "b": 16, "v": 15, "f": 13, "z": 11, "y": 11, "w": 9, "j": 6, "x": 3,
    "q": 3,
}  # fmt: skip
_COST = {letter: -math.log2(share / 1012) for letter, share in _LETTERS.items()}


def is_gibberish(text: str) -> bool:
    """Whether a text cannot be what is printed: its characters stand for nothing, or for other ones."""
    if len(_CID.findall(text)) >= 3:
        return True
    chars = [c for c in _RUN.sub(r"\1", text) if not c.isspace()]
    if not chars:
        return False
    if sum(map(is_unmapped, chars)) > _MAX_UNMAPPED * len(chars) or is_numbered(text):
        return True
    letters = [c for c in text if c.isalpha()]
    return _is_repeated(letters) or _is_symbols(chars) or _is_shuffled(letters) or _lacks_vowels(text)


def _is_repeated(letters: list[str]) -> bool:
    return len(letters) >= _FEW and Counter(letters).most_common(1)[0][1] > _MAX_REPEATED * len(letters)


def _is_symbols(chars: list[str]) -> bool:
    symbols = [c for c in chars if c < _LAST_CODE and unicodedata.category(c)[0] in "PS"]
    return len(chars) >= _FEW and len(symbols) > _MAX_SYMBOLS * len(chars) and len(set(symbols)) >= _KINDS


def is_numbered(text: str) -> bool:
    r"""Whether characters are numbered as they first come: `!"#$` and on, as some writers of PDFs do without a map."""
    codes = [ord(c) for c in dict.fromkeys(text) if not c.isspace()]
    return len(codes) >= _ENOUGH_CODES and codes == list(range(_FIRST_CODE, _FIRST_CODE + len(codes)))


def _is_shuffled(letters: list[str]) -> bool:
    """Whether Latin letters have the frequencies of no language."""
    latin = [c for c in letters if "LATIN" in unicodedata.name(c, "")]
    if len(latin) < _FEW:
        return False
    if sum(not c.isascii() for c in latin) > _MAX_ACCENTED * len(latin):
        return True
    plain = [c for c in (unicodedata.normalize("NFD", c)[0].lower() for c in latin) if c in _COST]
    return len(plain) >= _ENOUGH_LETTERS and sum(_COST[c] for c in plain) / len(plain) > _MAX_BITS


def _lacks_vowels(text: str) -> bool:
    """Whether many words in Latin letters have no vowel."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    words = _WORD.findall(plain)
    return len(words) >= _ENOUGH_WORDS and sum(not _VOWEL.search(w) for w in words) > _MAX_VOWELLESS * len(words)
