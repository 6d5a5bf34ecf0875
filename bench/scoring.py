"""How well a text was read: character error rate and word F1, after folding what is a matter of convention.

Folded on both sides: Unicode NFKC (which makes the long s an s), combining small e to the umlaut (Fraktur alone), curly
quotes, dashes, hyphens at a line's end (the word is joined), white space (one blank; none at all in Chinese, Japanese
and Vietnamese), and case where it says nothing (receipts).
"""

import re
import unicodedata
from collections import Counter

from rapidfuzz.distance import Levenshtein

_QUOTES = str.maketrans("‘’‚‛`´“”„‟", "''''''\"\"\"\"")
_DASHES = str.maketrans(dict.fromkeys("‐‒–—―−⸗", "-"))  # NFKC has made U+2011 a U+2010
_SOFT_HYPHEN = "\u00ad"
_SMALL_E = "\u0364"
_UMLAUT = "\u0308"
_LINE_END_HYPHEN = re.compile(r"(?<=\w)-[^\S\n]*\n\s*(?=\w)")
_WHITE = re.compile(r"\s+")
_WITHOUT_BLANKS = frozenset({"zh", "ja", "vi"})


def fold(text: str, lang: str = "en", ignore_case: bool = False) -> str:
    """The text without the differences that are a matter of convention; `lang` is such as "de-Fraktur" or "en/ms"."""
    text = unicodedata.normalize("NFKC", text.translate(_QUOTES))
    if "Fraktur" in lang:
        text = unicodedata.normalize("NFC", text.replace(_SMALL_E, _UMLAUT))
    text = text.translate(_DASHES).replace(_SOFT_HYPHEN, "")
    text = _WHITE.sub("" if has_no_blanks(lang) else " ", _LINE_END_HYPHEN.sub("", text)).strip()
    return text.casefold() if ignore_case else text


def has_no_blanks(lang: str) -> bool:
    """Whether white space says nothing in this language, so that its words are its characters here."""
    return re.split(r"[-_,/]", lang)[0] in _WITHOUT_BLANKS


def cer(read: str, truth: str, lang: str = "en", *, ignore_case: bool = False, in_order: bool = True) -> float:
    """Edits of characters to make `read` into `truth`, a character of the truth; 0 is perfect, and it may exceed 1.

    Not `in_order`, characters are compared as a multiset: substitutions, then what is left over on either side.
    """
    read, truth = (fold(text, lang, ignore_case) for text in (read, truth))
    if not truth:
        return float(bool(read))
    return (Levenshtein.distance(read, truth) if in_order else _bag_distance(read, truth)) / len(truth)


def word_f1(read: str, truth: str, lang: str = "en", *, ignore_case: bool = False) -> float:
    """Harmonic mean of precision and recall of the words, as multisets; 1 is perfect. Order plays no part."""
    found, wanted = (_words(fold(text, lang, ignore_case), lang) for text in (read, truth))
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0


def _words(folded: str, lang: str) -> Counter[str]:
    return Counter(folded if has_no_blanks(lang) else folded.split(" ") if folded else ())


def _bag_distance(read: str, truth: str) -> int:
    found, wanted = Counter(read), Counter(truth)
    return max((found - wanted).total(), (wanted - found).total())
