"""By how much the lines of a page lean, from projection profiles: the sharpest profile is the one along the lines.

After W. Postl, "Detection of linear oblique structures and skew scan in digitized documents" (ICPR 1986), on the upper
and lower edges of characters, and in strips, so that columns whose lines do not meet do not blur each other.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST = 12.0  # degrees; whatever leans more did not just lie askew
_COARSE, _FINE = 0.5, 0.05  # steps in degrees
_STRIPS = 6  # at the most ...
_NARROWEST = 200  # ... and pixels that one has at the least
_FEWEST = 50  # points of edges; with less there is no line


@dataclass(frozen=True, slots=True)
class Lean:
    """How the lines of a page lean from the level."""

    degrees: float  # clockwise
    gain: float  # sharpness of the profile along them, in ratio to the level one; 1 where they are level

    @property
    def is_sure(self) -> bool:
        """Whether this is no matter of chance, and worth a turn."""
        return self.gain >= _SURE and _LEAST <= abs(self.degrees) < LARGEST


_SURE = 1.03
_LEAST = 0.3  # degrees; turning by less costs more sharpness than it brings


def lean_of(mask: Any) -> Lean:
    """How the lines lean that run from left to right in a mask of characters (H x W, uint8, 0 or 1)."""
    edges = [_points(mask[:-1] > mask[1:]), _points(mask[1:] > mask[:-1])]
    if min(len(x) for x, _ in edges) < _FEWEST:
        return Lean(0.0, 1.0)

    def sharpness(degrees: float) -> float:
        return sum(_sharpness(x, y, degrees, mask.shape) for x, y in edges)

    best = max(_angles(0.0, LARGEST, _COARSE), key=sharpness)
    best = max(_angles(best, _COARSE, _FINE), key=sharpness)
    return Lean(best, sharpness(best) / sharpness(0.0))


def _angles(middle: float, reach: float, step: float) -> list[float]:
    """Degrees around a middle, the nearest first, so that of equals the least is taken."""
    count = round(reach / step)
    return sorted((middle + i * step for i in range(-count, count + 1)), key=abs)


def _points(mask: Any) -> tuple[Any, Any]:
    y, x = np.divmod(np.flatnonzero(mask), mask.shape[1])  # a fifth of the time that nonzero takes
    return x.astype(np.float32), y.astype(np.float32)


def _sharpness(x: Any, y: Any, degrees: float, shape: tuple[int, int]) -> float:
    """Sum of squares of the profile's bins, two pixels each, summed over the strips, by point."""
    slope = math.tan(math.radians(degrees))
    reach = math.ceil(shape[1] * math.tan(math.radians(LARGEST + 1))) + 2
    rows = (y - x * np.float32(slope) + reach).astype(np.int32)
    bins = shape[0] + 2 * reach
    count = min(_STRIPS, max(1, shape[1] // _NARROWEST))
    strips = (x * (count / shape[1])).astype(np.int32)
    profile = np.bincount(strips * bins + rows, minlength=count * bins).astype(np.float64)
    profile = profile[:-1] + profile[1:]  # else the page's own rows of pixels make the level look sharp
    return float(np.square(profile).sum()) / len(x)  # for a dot product BLAS would start threads
