"""The directions of lines that are seen in a mirror, as on sheets whose print is pressed onto something."""

from collections.abc import Sequence
from typing import Any

_CLEAR = 0.1  # of the size of type: a character's middle is so far from its baseline, at least


def set_right(lines: Sequence[dict[str, Any]]) -> None:
    """Turn the directions of mirrored lines round, so that their upper side is above. `lines` are of `rawdict`.

    MuPDF tells where the next character stands, which is at the left of the one before, as in a line upside down. But
    the letters stand above their baseline.
    """
    for line in lines:
        if not line["wmode"] and _is_mirrored(line):
            cos, sin = line["dir"]
            line["dir"] = (-cos, -sin)


def _is_mirrored(line: dict[str, Any]) -> bool:
    """Whether the letters of a line are on the side of the baseline where they are not if the line was turned."""
    span = line["spans"][0]
    char = span["chars"][0]
    cos, sin = line["dir"]
    (x, y), (left, top, right, bottom), size = char["origin"], char["bbox"], span["size"]
    above = ((left + right) / 2 - x) * sin - ((top + bottom) / 2 - y) * cos
    usual = (span["ascender"] + span["descender"]) / 2
    return bool(above * usual < 0 and min(abs(above), abs(usual) * size) > _CLEAR * size)
