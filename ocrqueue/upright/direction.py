"""By how many degrees a page has to be turned to be upright.

Every page has its ink examined. Only if a page looks turned, the recogniser reads parts of it, and decides: the page
stays as it is unless it reads clearly better when turned.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ocrqueue.upright.ink import Ink, has_level_lines, ink_of, level_share
from ocrqueue.upright.networks import Recogniser, upside_down
from ocrqueue.upright.skew import Lean, lean_of
from ocrqueue.upright.tiles import tiles, unstacked

if TYPE_CHECKING:
    from PIL.Image import Image

# Likelihoods and certainties are numbers from 0 to 1, of PP-OCR's classifier and recogniser (`networks`).
_LEVEL = 0.5  # share of wide words (`level_share`) from which on lines seem to run from left to right,
_SURELY_LEVEL = 0.8  # and surely do; small pages with little white between their lines have less
_DOUBTFUL = 0.5  # likelihood of "upside down" from which on the recogniser reads the turned page, too
_CLEAR = 0.35  # likelihood of "upside down" below which the tiles are surely upright text, not parts of a picture
_ENOUGH = 4  # lines: with so many, a page's skew is corrected although nothing of it was read
_READABLE = 0.65  # certainty from which on the text is upright
# Certainty from which on a page is turned by 180 degrees. Of upside-down pages in letters that the recogniser knows it
# is 0.80 or more when they are turned (Fraktur: 0.66); of upright ones in Hebrew, up to 0.70.
_TURNED = 0.75
_SURE = 0.85  # certainty from which on a page whose lines may be level is turned by 90 or 270 degrees
_BETTER = 0.15  # difference of certainties from which on one direction is clearly better than another
_VOTE = 0.3  # weight of the classifier's likelihood when certainties of two directions are compared
_STACKED = 0.7  # certainty, after each character was turned by itself, from which on a tall line is vertical writing
_LINES = 12  # tiles for the classifier
_READ = 6  # tiles of them for the recogniser


@dataclass(frozen=True, slots=True)
class _View:
    """Tiles of a page turned by `quarter`, from which also tiles turned by a half turn more can be made."""

    quarter: int  # degrees clockwise
    lean: Lean  # of the page turned by `quarter`
    tiles: list[Any]  # see `tiles`


def turn_needed(page: "Image") -> float:
    """Degrees clockwise, 0 to 360, by which a page (RGB) has to be turned; 0 if it is upright or unclear."""
    ink = ink_of(page)
    level = level_share(ink)
    may_be_tall = level < _LEVEL or (level < _SURELY_LEVEL and not has_level_lines(ink))
    found = _tall(ink, is_likely=level < _LEVEL) if may_be_tall else None
    view, quarter, is_text = _flat(ink) if found is None else (*found, True)
    lean = view.lean.degrees if is_text and view.lean.is_sure else 0.0
    return (quarter - lean) % 360


def _view(ink: Ink, quarter: int) -> _View:
    """The view of a page turned by `quarter` (0 or 90) degrees, its skew corrected."""
    lean = lean_of(np.ascontiguousarray(np.rot90(ink.mask, -quarter // 90)))
    return _View(quarter, lean, tiles(ink, quarter - lean.degrees, _LINES))


def _flat(ink: Ink) -> tuple[_View, int, bool]:
    """For a page whose lines run from left to right: its view, 0 or 180 degrees, and whether to correct a skew.

    A skew is corrected if the page surely is text.
    """
    view = _view(ink, 0)
    likelihood = upside_down(view.tiles)
    if likelihood < _CLEAR and len(view.tiles) >= _ENOUGH:
        return view, 0, True
    if likelihood < _DOUBTFUL and not view.lean.is_sure:
        return view, 0, False  # whatever the recogniser said, the page would stay as it is
    recogniser = Recogniser()
    now = recogniser.certainty(_some(view.tiles))
    if likelihood < _DOUBTFUL:
        return view, 0, now >= _READABLE
    turned = recogniser.certainty(_turned(_some(view.tiles)))
    if turned >= _TURNED and turned - now >= _BETTER - _VOTE * (2 * likelihood - 1):
        return view, 180, True
    return view, 0, now >= _READABLE


def _tall(ink: Ink, *, is_likely: bool) -> tuple[_View, int] | None:
    """For a page whose lines may run up or down: its view and the degrees to turn it by; None if unclear.

    If they are likely to, the page must not read better as it lies; if not, it must read clearly worse.
    """
    view = _view(ink, 90)
    pieces = {90: _some(view.tiles), 270: _turned(_some(view.tiles))}
    recogniser = Recogniser()
    read = {quarter: recogniser.certainty(those) for quarter, those in pieces.items()}
    votes = {quarter: read[quarter] - _VOTE * upside_down(those) for quarter, those in pieces.items()}
    best, other = sorted(votes, key=lambda quarter: -votes[quarter])
    if read[best] < _READABLE or votes[best] < votes[other] + _BETTER:
        return None
    if not is_likely:
        as_it_lies = recogniser.certainty(_some(_view(ink, 0).tiles))
        return (view, best) if read[best] >= max(_SURE, as_it_lies + _BETTER) else None
    if recogniser.certainty([unstacked(tile) for tile in pieces[best]], share=0.5) >= _STACKED:
        return _view(ink, 0), (best + 90) % 360  # vertical writing: its column is readable lying, too
    if recogniser.certainty(_some(_view(ink, 0).tiles)) > read[best] + _BETTER:
        return None
    return view, best


def _some(tiles: list[Any]) -> list[Any]:
    """At most `_READ` of the tiles, from all parts of the page."""
    return tiles[:: max(1, -(-len(tiles) // _READ))]


def _turned(tiles: list[Any]) -> list[Any]:
    """The tiles turned by 180 degrees."""
    return [tile[::-1, ::-1] for tile in tiles]
