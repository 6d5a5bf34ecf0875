"""Raised and lowered figures, such as marks of notes, powers and indices, as the characters that Unicode has for them.

Else a note's mark would become a digit of the number before it: 17³ would be 173.
"""

from collections.abc import Sequence
from typing import Any

from ocrqueue.documents.pdf.boxes import direction_of

# In sizes of the text
_SMALLER = 0.85  # raised figures are smaller
_SHIFT = (0.1, 0.8)  # the baseline is so much higher or lower, at least and at most
_APART = 0.5  # white between such figures and what they belong to, at most
_RAISED = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_NOTES = str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")  # a letter alone, behind a digit
_BETWEEN = frozenset(" ,;.*†‡")  # may stand between such figures, and stay as they are


def put_raised(lines: Sequence[dict[str, Any]]) -> bool:
    """Put raised and lowered figures in the place of digits; return whether there are any.

    `lines` are those of PyMuPDF's `rawdict`, their spans with `text`. A span with other characters stays as it is.
    """
    has_any = False
    for line in lines:
        spans = line["spans"]
        if len(spans) > 1 and not line["wmode"]:
            sizes = [span["size"] for span in spans]
            largest = max(sizes)
            if min(sizes) < _SMALLER * largest:
                has_any |= _put(line, largest)
    return has_any


def _put(line: dict[str, Any], largest: float) -> bool:
    """Put the raised and lowered figures of one line, whose largest type has this size."""
    cos, sin = direction_of(line)
    main = max(line["spans"], key=lambda span: (span["size"] > _SMALLER * largest, len(span["chars"])))
    size, (x, y) = main["size"], main["chars"][0]["origin"]
    level = x * sin - y * cos
    has_any = False
    last: dict[str, Any] | None = None  # the character before that is no space
    for span in line["spans"]:
        first, before = span["chars"][0], last
        last = next((char for char in reversed(span["chars"]) if not char["c"].isspace()), last)
        x, y = first["origin"]
        shift = (x * sin - y * cos - level) / size
        if span["size"] >= _SMALLER * size or not _SHIFT[0] <= abs(shift) <= _SHIFT[1]:
            continue
        table = _table(span["text"].strip(), before, is_raised=shift > 0)
        if table is None:
            continue
        if before is None or _gap(before["bbox"], first["bbox"]) <= _APART * size:
            for char in span["chars"]:
                char["c"] = char["c"].translate(table)
            has_any = True
    return has_any


def _table(text: str, before: dict[str, Any] | None, *, is_raised: bool) -> dict[int, int] | None:
    """What a text becomes that is raised or lowered, after this character; None if it stays as it is."""
    table = _RAISED if is_raised else _LOWERED
    if any(map(str.isdigit, text)) and all(ord(c) in table or c in _BETWEEN for c in text):
        return table
    is_note = is_raised and len(text) == 1 and ord(text) in _NOTES and before is not None and before["c"].isdigit()
    return _NOTES if is_note else None


def _gap(one: Sequence[float], other: Sequence[float]) -> float:
    """The white between two boxes: the larger of that across and that down."""
    return max(other[0] - one[2], one[0] - other[2], other[1] - one[3], one[1] - other[3])
