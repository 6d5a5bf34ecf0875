"""By how much a page has to be turned to be upright.

What a look at the ink costs is paid for every page; the recogniser is asked only about a page that looks turned, and
has the last word: a page stays as it is unless it reads clearly better turned.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ocrqueue.upright.ink import Ink, ink_of, level_share
from ocrqueue.upright.networks import Recogniser, upside_down
from ocrqueue.upright.skew import Lean, lean_of
from ocrqueue.upright.tiles import tiles, unstacked

if TYPE_CHECKING:
    from PIL.Image import Image

_LEVEL = 0.5  # share of wide words from which on lines run from left to right
_DOUBTFUL = 0.5  # likelihood of being upside down from which on the recogniser is asked
_CLEAR = 0.35  # likelihood of it below which these are lines of text, and not a picture's
_ENOUGH = 4  # lines that a page is turned by a little for without being read
_READABLE = 0.65  # certainty of a text that lies right
_BETTER = 0.15  # by which it is above that of the same lines upside down
_VOTE = 0.3  # what the classifier's likelihood counts beside that certainty
_STACKED = 0.7  # certainty of a line whose characters were turned one by one, if it was a column
_LINES = 12  # to classify
_READ = 6  # of them


@dataclass(frozen=True, slots=True)
class _View:
    """The lines of a page that is turned by `quarter`, or by half a turn more."""

    quarter: int
    lean: Lean
    tiles: list[Any]


def turn_needed(page: "Image") -> float:
    """Degrees by which a page (RGB) has to be turned clockwise, 0 to 360; 0 where it is upright or nothing is sure."""
    ink = ink_of(page)
    found = _tall(ink) if level_share(ink) < _LEVEL else None
    view, quarter, is_text = _flat(ink) if found is None else (*found, True)
    lean = view.lean.degrees if is_text and view.lean.is_sure else 0.0
    return (quarter - lean) % 360


def _view(ink: Ink, quarter: int) -> _View:
    lean = lean_of(np.ascontiguousarray(np.rot90(ink.mask, -quarter // 90)))
    return _View(quarter, lean, tiles(ink, quarter - lean.degrees, _LINES))


def _flat(ink: Ink) -> tuple[_View, int, bool]:
    """A page whose lines run from left to right: 0 or 180, and whether this is text for sure."""
    view = _view(ink, 0)
    likelihood = upside_down(view.tiles)
    if likelihood < _CLEAR and (len(view.tiles) >= _ENOUGH or not view.lean.is_sure):
        return view, 0, True
    recogniser = Recogniser()
    now = recogniser.certainty(_some(view.tiles))
    if likelihood < _DOUBTFUL:
        return view, 0, now >= _READABLE
    turned = recogniser.certainty(_turned(_some(view.tiles)))
    if turned >= _READABLE and turned - now >= _BETTER - _VOTE * (2 * likelihood - 1):
        return view, 180, True
    return view, 0, now >= _READABLE


def _tall(ink: Ink) -> tuple[_View, int] | None:
    """A page whose lines seem to run up or down, and by which quarter to turn it; None where that is not sure."""
    view = _view(ink, 90)
    pieces = {90: _some(view.tiles), 270: _turned(_some(view.tiles))}
    recogniser = Recogniser()
    read = {quarter: recogniser.certainty(those) for quarter, those in pieces.items()}
    votes = {quarter: read[quarter] - _VOTE * upside_down(those) for quarter, those in pieces.items()}
    best, other = sorted(votes, key=lambda quarter: -votes[quarter])
    if read[best] < _READABLE or votes[best] < votes[other] + _BETTER:
        return None
    if recogniser.certainty([unstacked(tile) for tile in pieces[best]], share=0.5) >= _STACKED:
        return _view(ink, 0), (best + 90) % 360  # a column of characters one above the other can be read lying, too
    flat = _view(ink, 0)
    if recogniser.certainty(_some(flat.tiles)) > read[best] + _BETTER:
        return None
    return view, best


def _some(tiles: list[Any]) -> list[Any]:
    """At most `_READ` of them, from all over the page."""
    return tiles[:: max(1, -(-len(tiles) // _READ))]


def _turned(tiles: list[Any]) -> list[Any]:
    return [tile[::-1, ::-1] for tile in tiles]
