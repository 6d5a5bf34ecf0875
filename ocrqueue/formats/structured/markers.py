"""The markers of list items: bullets, and numbers that Markdown and HTML can write."""

import re
from dataclasses import dataclass

from ocrqueue.layout.bullets import TICKS

_BULLET = re.compile(rf"(?![{TICKS}])[^\w\s]{{1,2}}")
_NUMBER = re.compile(r"([(\[]?)(\d{1,9}|[A-Za-z]|[ivxlcdm]{2,8}|[IVXLCDM]{2,8})([.)\]:]{0,2})")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


@dataclass(frozen=True, slots=True)
class Number:
    """The number of a list item."""

    style: str  # as the attribute `type` of HTML's lists: "1", "a", "A", "i" or "I"
    value: int
    has_bracket: bool  # "1)" or "(1)"; otherwise "1."


def is_bullet(marker: str | None) -> bool:
    """Whether a marker says nothing but that an item begins."""
    return not marker or _BULLET.fullmatch(marker) is not None


def number_of(marker: str | None, before: Number | None = None) -> Number | None:
    """The number that a marker states; None if it is none. `before` is the number of the item before it in the list.

    A single letter such as "i" is Roman after a Roman number or as a list's first item, unless "h" stands before it.
    """
    match = _NUMBER.fullmatch(marker or "")
    if match is None:
        return None
    digits, has_bracket = match[2], ")" in match[3] or match[1] == "("
    if digits.isdigit():
        return Number("1", int(digits), has_bracket)
    letter, roman = ("A", "I") if digits.isupper() else ("a", "i")
    value = _roman(digits.lower())
    if len(digits) > 1 or (value and _is_roman(digits.lower(), before)):
        return Number(roman, value, has_bracket) if value else None
    return Number(letter, ord(digits.lower()) - ord("a") + 1, has_bracket)


def _is_roman(digit: str, before: Number | None) -> bool:
    if before is None:
        return digit == "i"
    return before.style in "iI"


def _roman(digits: str) -> int:
    """The value of a Roman number; 0 if it is none."""
    if any(digit not in _ROMAN for digit in digits):
        return 0
    values = [_ROMAN[digit] for digit in digits]
    total = sum(-value if value < max(values[i + 1 :], default=0) else value for i, value in enumerate(values))
    return max(total, 0)
