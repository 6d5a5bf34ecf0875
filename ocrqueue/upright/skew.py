"""The skew of the lines on a page, from projection profiles: the profile along the lines is the sharpest.

Method: W. Postl, "Detection of linear oblique structures and skew scan in digitized documents" (ICPR 1986). Here the
profile is of upper and lower edges of characters, and in vertical strips, because lines of two columns may not align.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

LARGEST = 12.0  # degrees: a larger skew is no accident of scanning
_COARSE, _FINE = 0.5, 0.05  # degrees: steps of the first and the second search
_STRIPS = 6  # strips at most ...
_NARROWEST = 200  # ... each at least so many pixels wide
_FEWEST = 50  # pixels of edges: fewer make no line
_SURE = 1.03  # gain from which on a skew is no coincidence
_LEAST = 0.3  # degrees: turning by less loses more sharpness than it gains


@dataclass(frozen=True, slots=True)
class Lean:
    """The skew of the lines on a page."""

    degrees: float  # clockwise
    gain: float  # sharpness of the profile along the lines, divided by that of the horizontal profile

    @property
    def is_sure(self) -> bool:
        """Whether the skew is no coincidence, and large enough to correct."""
        return self.gain >= _SURE and _LEAST <= abs(self.degrees) < LARGEST


@dataclass(frozen=True, slots=True)
class _Edges:
    """Pixels at upper or lower edges of characters; arrays have one element for each."""

    x: Any  # float32
    y: Any  # float32
    reach: int  # bins before the first row, for points that a turn moves there
    first: Any  # int64: the first bin of the strip in which the pixel is
    bins: int  # of all strips


def lean_of(mask: Any) -> Lean:
    """The skew of the horizontal lines in a mask of characters (height x width, uint8, 0 or 1)."""
    reach = math.ceil(mask.shape[1] * math.tan(math.radians(LARGEST + 1))) + 2
    bins = mask.shape[0] + 2 * reach
    edges = [_edges(change, reach, bins) for change in (mask[:-1] > mask[1:], mask[1:] > mask[:-1])]
    if min(len(edge.x) for edge in edges) < _FEWEST:
        return Lean(0.0, 1.0)

    @cache
    def sharpness(degrees: float) -> float:
        return sum(_sharpness(edge, degrees) for edge in edges)

    best = max(_angles(0.0, LARGEST, _COARSE), key=sharpness)
    best = max(_angles(best, _COARSE, _FINE), key=sharpness)
    return Lean(best, sharpness(best) / sharpness(0.0))


def _angles(middle: float, reach: float, step: float) -> list[float]:
    """Angles in degrees around `middle`. The smallest come first, so that `max` prefers them among equals."""
    count = round(reach / step)
    return sorted((middle + i * step for i in range(-count, count + 1)), key=abs)


def _edges(change: Any, reach: int, bins: int) -> _Edges:
    """The pixels where a mask has an edge, for profiles of `bins` bins, which `reach` bins precede the first row."""
    width = change.shape[1]
    y, x = np.divmod(np.flatnonzero(change), width)  # five times as fast as `nonzero`
    x, y = x.astype(np.float32), y.astype(np.float32)
    count = min(_STRIPS, max(1, width // _NARROWEST))
    strip = (x * (count / width)).astype(np.int64)
    return _Edges(x, y, reach, strip * bins, count * bins)


def _sharpness(edges: _Edges, degrees: float) -> float:
    """Sum of the squares of the profile's bins (two pixels each) over all strips, divided by the number of points."""
    rows = edges.x * np.float32(math.tan(math.radians(degrees)))
    np.subtract(edges.y, rows, out=rows)
    rows += edges.reach
    at = rows.astype(np.int64)
    at += edges.first
    profile = np.bincount(at, minlength=edges.bins).astype(np.float64)
    profile = profile[:-1] + profile[1:]  # single rows would favour the horizontal, because pixels lie in rows
    return float(np.square(profile).sum()) / len(rows)  # no dot product: BLAS would start threads for it
