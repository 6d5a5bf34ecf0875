"""Lines that are written downwards, as in Japanese and Chinese: MuPDF gives each of their characters as a line."""

from collections.abc import Sequence
from typing import Any

from ocrqueue.documents.pdf.characters import is_unspaced

_FEW = 10  # characters that are lines by themselves: fewer may be cells of a table
_BESIDE = 0.3  # of its size: the middle of a character is so far left or right of the one above it, at most
_BELOW = (0.6, 1.4)  # of its size: a character begins so far below the beginning of the one above it, if it follows it


def joined_downwards(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines, in which characters that stand below each other are one line, written downwards.

    `lines` are those of PyMuPDF's `rawdict`. Those of one character follow each other in the order of reading. Unless
    the font itself is for writing downwards, most of the page has to be printed so.
    """
    short = [line for line in lines if line["wmode"] or len(line["spans"][0]["chars"]) == len(line["spans"]) == 1]
    if len(short) < _FEW:  # as on nearly every page
        return list(lines)
    single = [_is_single(line) for line in lines]
    is_sure = any(line["wmode"] for line in lines)
    if not is_sure and 2 * sum(single) <= sum(len(span["chars"]) for line in lines for span in line["spans"]):
        return list(lines)
    found: list[dict[str, Any]] = []
    for line, is_part in zip(lines, single, strict=True):
        if is_part and found and found[-1]["wmode"] and _follows(found[-1], line):
            last = found[-1]
            last["spans"] = [*last["spans"], *line["spans"]]
            last["bbox"] = (*last["bbox"][:3], line["bbox"][3])
        elif is_part:
            found.append({**line, "wmode": 1, "spans": list(line["spans"])})
        else:
            found.append(line)
    return found


def _is_single(line: dict[str, Any]) -> bool:
    """Whether a line is one character, or is written downwards."""
    chars = [char["c"] for span in line["spans"] for char in span["chars"]]
    return bool(line["wmode"]) or (len(chars) == 1 and is_unspaced(chars[0]))


def _follows(line: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether another line goes on below this one."""
    last, first = line["spans"][-1], other["spans"][0]
    (left, top, right, _), (left2, top2, right2, _) = last["chars"][-1]["bbox"], first["chars"][0]["bbox"]
    size = last["size"]
    is_below = abs(left + right - left2 - right2) / 2 <= _BESIDE * size
    return bool(is_below and _BELOW[0] * size <= top2 - top <= _BELOW[1] * size)
