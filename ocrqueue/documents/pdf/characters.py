"""Characters as PDF files encode them, and as a reader would type them."""

import re
import unicodedata
from functools import lru_cache

_BULLET = "\uf0b7"  # the bullet of the Symbol font, which word processors write with this private code
_JOINERS = "\u200c\u200d"  # invisible, but they decide the shape of letters in Arabic and Indic scripts
_FORMS = re.compile(r"[\ufb00-\ufb4f\ufb50-\ufdff\ufe70-\ufefc]+")  # ligatures, Hebrew and Arabic presentation forms
# Any character that `_without_odd` may change: controls, invisible marks, private use, presentation forms.
_ODD = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\uf8ff\ufb00-\ufdff\ufe70-\ufeff\ufff0-\uffff\U000e0000-\U0010ffff]"
)
_SPACES = re.compile(r"\s+")
# Thai, Lao, Burmese, Khmer, Chinese and Japanese; full-width forms. Korean is written with spaces.
UNSPACED = (  # a set in a regular expression
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u9fff\uf900-\ufaff"
    "\uff00-\uffef\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")

FIRST_LEFTWARDS = "\u0590"  # scripts that are written to the left begin at this code: Hebrew
_LEFTWARDS = re.compile(  # Hebrew to Arabic Extended-A, their presentation forms, and the same beyond U+FFFF
    "[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
ACCENTS = {  # by an accent as a character of its own: the combining character
    "`": "\u0300", "´": "\u0301", "^": "\u0302", "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303", "¯": "\u0304",
    "˘": "\u0306", "˙": "\u0307", "¨": "\u0308", "˚": "\u030a", "˝": "\u030b", "ˇ": "\u030c", "¸": "\u0327",
    "˛": "\u0328",
}  # fmt: skip


def accented(accent: str, letter: str) -> str | None:
    """One character for a letter and the accent that is printed over it; None if Unicode has none."""
    mark = ACCENTS.get(accent)
    if mark is None:
        return None
    base = "i" if letter == "ı" else letter  # the dotless i is printed below accents
    whole = unicodedata.normalize("NFC", base + mark)
    return whole if len(whole) == 1 else None


def may_run_leftwards(text: str) -> bool:
    """Whether a text may have letters of a script that is written to the left."""
    return not text.isascii() and _LEFTWARDS.search(text) is not None


@lru_cache(4096)
def is_unmapped(char: str) -> bool:
    """Whether a character has no known meaning: no Unicode value, private use, or a control character."""
    if char == "\ufffd":
        return True
    return char != _BULLET and unicodedata.category(char) in ("Cc", "Co", "Cn", "Cs") and not char.isspace()


@lru_cache(4096)
def is_unspaced(char: str) -> bool:
    """Whether a character belongs to a script that puts no spaces between words."""
    return _UNSPACED.match(char) is not None


def is_plain(text: str) -> bool:
    """Whether `readable` changes nothing but spaces in this text, and so in each part of it."""
    if text.isascii():
        return text.isprintable() or not _ODD.search(text)
    return not _ODD.search(text) and unicodedata.is_normalized("NFC", text)


def readable(text: str) -> str:
    """The text as a reader would type it: NFC, single spaces, letters instead of ligatures, no invisible marks.

    A soft hyphen is visible at the end only, where it becomes a hyphen. Characters without meaning are removed.
    """
    text = _SPACES.sub(" ", text).strip()
    if _ODD.search(text):
        text = _without_odd(text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _without_odd(text: str) -> str:
    text = text.replace(_BULLET, "•")
    if text.endswith("\u00ad"):
        text = text[:-1] + "-"
    text = _FORMS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    kept = (c for c in text if c in _JOINERS or not (unicodedata.category(c) == "Cf" or is_unmapped(c)))
    return _SPACES.sub(" ", "".join(kept)).strip()
