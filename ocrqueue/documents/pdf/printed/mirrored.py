"""The directions of lines that are seen in a mirror, as on sheets whose print is pressed onto something."""

from collections.abc import Iterator, Sequence
from typing import Any

from ocrqueue.documents.pdf.boxes import LEVEL
from ocrqueue.documents.pdf.mupdf import mupdf
from ocrqueue.documents.pdf.painting import place_of

_RIGHTWARDS = (1.0, 0.0)


def set_right(lines: Sequence[dict[str, Any]], stext: Any) -> None:
    """Turn the directions of mirrored lines round, so that their upper side is above. `lines` are of `rawdict`.

    MuPDF tells where the next character stands: at the left of the one before, as in a line upside down, if left and
    right are exchanged. PyMuPDF takes each such line for a mirrored one. The corners of the letters tell.
    """
    if not _run_otherwise(lines):
        is_low = bool(lines) and lines[0]["bbox"][1] > lines[-1]["bbox"][1]  # above and below may be exchanged
        first = next(_first_chars(stext), None) if is_low else None
        if first is None or not _is_mirrored(first):
            return  # as on nearly every page: pages are mirrored as a whole
    begins = {place_of((c.origin.x, c.origin.y)) for c in _first_chars(stext) if _is_mirrored(c)}
    for line in lines:
        if not line["wmode"] and place_of(line["spans"][0]["chars"][0]["origin"]) in begins:
            cos, sin = line["dir"]
            line["dir"] = (-cos, -sin)


def _run_otherwise(lines: Sequence[dict[str, Any]]) -> bool:
    """Whether a line runs to the left, or most run up or down."""
    turned = [line["dir"] for line in lines if line["dir"] != _RIGHTWARDS]
    return bool(turned) and (2 * len(turned) > len(lines) or any(cos < -LEVEL for cos, _ in turned))


def _first_chars(stext: Any) -> Iterator[Any]:
    """The first character of each line, as MuPDF's `fz_stext_char`."""
    for block in stext.this:
        if block.m_internal.type == mupdf.FZ_STEXT_BLOCK_TEXT:
            for line in block:
                if line.m_internal.first_char:
                    yield line.m_internal.first_char


def _is_mirrored(char: Any) -> bool:
    """Whether the corners of a character run counterclockwise."""
    quad = char.quad
    across = quad.ur.x - quad.ul.x, quad.ur.y - quad.ul.y
    down = quad.ll.x - quad.ul.x, quad.ll.y - quad.ul.y
    return bool(across[0] * down[1] - across[1] * down[0] < 0)
