"""How well a text was read: character error rate and word F1, without differences that are only conventions.

Both texts are normalised: Unicode NFKC (which also replaces the long s by s), combining small e to umlaut (only in
Fraktur), curly quotes, dashes, hyphens at line ends (the word is joined), white space (one blank; none in Chinese,
Japanese and Vietnamese), and on request case (receipts).
"""

import re
import unicodedata
from collections import Counter

from rapidfuzz.distance import Levenshtein

_QUOTES = str.maketrans("‘’‚‛`´“”„‟", "''''''\"\"\"\"")
_DASHES = str.maketrans(dict.fromkeys("‐‒–—―−⸗", "-"))  # NFKC replaces U+2011 by U+2010
_SOFT_HYPHEN = "\u00ad"
_SMALL_E = "\u0364"
_UMLAUT = "\u0308"
_LINE_END_HYPHEN = re.compile(r"(?<=\w)-[^\S\n]*\n\s*(?=\w)")
_WHITE = re.compile(r"\s+")
_LETTER = re.compile(r"[^\W_]")
_WITHOUT_BLANKS = frozenset({"zh", "ja", "vi"})


def fold(text: str, lang: str = "en", ignore_case: bool = False) -> str:
    """The normalised text. `lang` is a language such as "de-Fraktur" or "en/ms"."""
    text = unicodedata.normalize("NFKC", text.translate(_QUOTES))
    if "Fraktur" in lang:
        text = unicodedata.normalize("NFC", text.replace(_SMALL_E, _UMLAUT))
    text = text.translate(_DASHES).replace(_SOFT_HYPHEN, "")
    text = _WHITE.sub("" if has_no_blanks(lang) else " ", _LINE_END_HYPHEN.sub("", text)).strip()
    return text.casefold() if ignore_case else text


def has_no_blanks(lang: str) -> bool:
    """Whether white space does not separate words in this language, so that every character counts as a word."""
    return re.split(r"[-_,/]", lang)[0] in _WITHOUT_BLANKS


def cer(read: str, truth: str, lang: str = "en", *, ignore_case: bool = False, in_order: bool = True) -> float:
    """Character error rate: edits that turn `read` into `truth`, per character of the truth. 0 is perfect.

    With `in_order` false, characters are compared as multisets, so that order does not count.
    """
    read, truth = (fold(text, lang, ignore_case) for text in (read, truth))
    if not truth:
        return float(bool(read))
    return (Levenshtein.distance(read, truth) if in_order else _bag_distance(read, truth)) / len(truth)


def word_f1(read: str, truth: str, lang: str = "en", *, ignore_case: bool = False) -> float:
    """Harmonic mean of precision and recall of the words, compared as multisets; 1 is perfect. Order does not count."""
    found, wanted = (words(fold(text, lang, ignore_case), lang) for text in (read, truth))
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0


def words_right(read: str, truth: str, lang: str = "en", *, ignore_case: bool = False) -> float | None:
    """The share of the words of the truth that were read, compared as multisets; None if the truth has no word.

    Marks that stand alone do not count as words; the words of Vietnamese are its syllables.
    """
    lang = "en" if lang.startswith("vi") else lang
    found, wanted = (
        Counter({word: n for word, n in words(fold(text, lang, ignore_case), lang).items() if _LETTER.search(word)})
        for text in (read, truth)
    )
    return (found & wanted).total() / wanted.total() if wanted else None


def words(folded: str, lang: str) -> Counter[str]:
    """The words of a normalised text, with how often each comes."""
    return Counter(folded if has_no_blanks(lang) else folded.split(" ") if folded else ())


def _bag_distance(read: str, truth: str) -> int:
    found, wanted = Counter(read), Counter(truth)
    return max((found - wanted).total(), (wanted - found).total())
