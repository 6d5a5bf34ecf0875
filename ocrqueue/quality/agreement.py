"""Whether a second reading is believed that says nothing about its own quality, as that of a vision-language model.

Two engines seldom make the same errors. So if a share `q` of the words of the first reading is right (its quality), a
second reading whose words are all right has a share `q` of its words in common with the first. One that is about
something else, breaks off in the middle or repeats itself has fewer.

The bounds were chosen on half of the documents, on readings whose quality was hidden: docs/benchmarks.md.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ocrqueue.documents.pdf.characters import UNSPACED
from ocrqueue.states import Origin

_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")  # where no spaces separate words, each character is one
_WORTHLESS = 0.4  # quality of a first reading below which any complete reading is better
_ENOUGH = 0.8  # of the first reading's quality: share of the words in common
_UNKNOWN = 0.05  # share of the letters of a script in the first reading below which its engine does not know it
# Scripts of which an engine knows some letters, so that it reads few words right, but is quite sure of them.
_HARDLY_KNOWN = {"rapidocr": "GREEK"}


def is_credible(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether the second reading of a page is to be kept instead of the first, whose quality is known.

    Both are results of the page. A reading that is empty, or has a warning since its text is not complete, is not.
    """
    layer = _words("\n".join(line["text"] for line in first["lines"] if line["origin"] == Origin.TEXT_LAYER))
    before, now = (_words(page["text"]) - layer for page in (first, second))
    if second["warnings"] or not now:
        return False
    quality = first.get("quality") or 0.0
    if quality < _WORTHLESS or _is_in_another_script(before, now, _HARDLY_KNOWN.get(first["engine"])):
        return True
    common = (before & now).total() / max(before.total(), now.total())
    return common >= _ENOUGH * quality


def _words(text: str) -> Counter[str]:
    """The words of a text in small letters without accents, which an engine may lack."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return Counter(_WORD.findall("".join(part for part in parts if not unicodedata.combining(part))))


def _is_in_another_script(before: Counter[str], now: Counter[str], hardly_known: str | None) -> bool:
    """Whether most letters of a reading are in scripts that the first reading hardly has, or its engine hardly knows.

    Such an engine takes these letters for others, so the two readings have little in common.
    """
    known, found = _letters(before), _letters(now)
    least = _UNKNOWN * known.total()
    unknown = sum(count for script, count in found.items() if known[script] < least or script == hardly_known)
    return 2 * unknown > found.total()


def _letters(words: Counter[str]) -> Counter[str]:
    """The number of letters by the first word of their Unicode names, such as LATIN, CYRILLIC or CJK."""
    found: Counter[str] = Counter()
    for word, count in words.items():
        for letter in filter(str.isalpha, word):
            found[unicodedata.name(letter, "").partition(" ")[0]] += count
    return found
