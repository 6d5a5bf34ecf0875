"""Leader dots and rules whose glyph has no character: they say nothing, so they are blanks."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ocrqueue.documents.pdf.characters import is_unmapped
from ocrqueue.documents.pdf.painting import glyphs_on, place_of

_LEAST = 4  # times the same glyph; "000" may be of a number


def put_leaders(lines: Sequence[dict[str, Any]], displayed: Any) -> bool:
    """Put blanks in the place of a glyph without a character that comes over and over; return whether there are any.

    `lines` are those of PyMuPDF's `rawdict`, `displayed` is the display list of the page.
    """
    glyphs = glyphs_on(displayed)
    has_any = False
    for line in lines:
        for run in _runs(line, glyphs):
            if len(run) >= _LEAST:
                has_any = True
                for char in run:
                    char["c"] = " "
    return has_any


def _runs(line: dict[str, Any], glyphs: dict[tuple[int, int], int]) -> Iterator[list[dict[str, Any]]]:
    """The characters of each run of the same glyph without a character, with or without blanks between them."""
    chars = [char for span in line["spans"] for char in span["chars"] if not char["c"].isspace()]
    for glyph, run in groupby(chars, lambda c: glyphs.get(place_of(c["origin"])) if is_unmapped(c["c"]) else None):
        if glyph is not None:
            yield list(run)
