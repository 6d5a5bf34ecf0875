"""The skew of the lines on a page, from projection profiles: the profile along the lines is the sharpest.

Method: W. Postl, "Detection of linear oblique structures and skew scan in digitized documents" (ICPR 1986). Here the
profile is of upper and lower edges of characters, and in vertical strips, because lines of two columns may not align.
"""

import math
from dataclasses import dataclass
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


def lean_of(mask: Any) -> Lean:
    """The skew of the horizontal lines in a mask of characters (height x width, uint8, 0 or 1)."""
    edges = [_points(mask[:-1] > mask[1:]), _points(mask[1:] > mask[:-1])]
    if min(len(x) for x, _ in edges) < _FEWEST:
        return Lean(0.0, 1.0)

    def sharpness(degrees: float) -> float:
        return sum(_sharpness(x, y, degrees, mask.shape) for x, y in edges)

    best = max(_angles(0.0, LARGEST, _COARSE), key=sharpness)
    best = max(_angles(best, _COARSE, _FINE), key=sharpness)
    return Lean(best, sharpness(best) / sharpness(0.0))


def _angles(middle: float, reach: float, step: float) -> list[float]:
    """Angles in degrees around `middle`. The smallest come first, so that `max` prefers them among equals."""
    count = round(reach / step)
    return sorted((middle + i * step for i in range(-count, count + 1)), key=abs)


def _points(mask: Any) -> tuple[Any, Any]:
    """The x and y coordinates of the pixels that are set, float32."""
    y, x = np.divmod(np.flatnonzero(mask), mask.shape[1])  # five times as fast as `nonzero`
    return x.astype(np.float32), y.astype(np.float32)


def _sharpness(x: Any, y: Any, degrees: float, shape: tuple[int, int]) -> float:
    """Sum of the squares of the profile's bins (two pixels each) over all strips, divided by the number of points."""
    slope = math.tan(math.radians(degrees))
    reach = math.ceil(shape[1] * math.tan(math.radians(LARGEST + 1))) + 2
    rows = (y - x * np.float32(slope) + reach).astype(np.int32)
    bins = shape[0] + 2 * reach
    count = min(_STRIPS, max(1, shape[1] // _NARROWEST))
    strips = (x * (count / shape[1])).astype(np.int32)
    profile = np.bincount(strips * bins + rows, minlength=count * bins).astype(np.float64)
    profile = profile[:-1] + profile[1:]  # single rows would favour the horizontal, because pixels lie in rows
    return float(np.square(profile).sum()) / len(x)  # no dot product: BLAS would start threads for it
