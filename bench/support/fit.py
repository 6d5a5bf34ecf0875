"""A least squares line through measured values."""

import math
from collections.abc import Sequence
from statistics import fmean


def slope(values: Sequence[float]) -> tuple[float, float]:
    """The slope per value of a least squares line through at least three values, and its standard error."""
    count = len(values)
    middle, mean = (count - 1) / 2, fmean(values)
    spread = sum((n - middle) ** 2 for n in range(count))
    rise = sum((n - middle) * (value - mean) for n, value in enumerate(values)) / spread
    rest = sum((value - mean - rise * (n - middle)) ** 2 for n, value in enumerate(values))
    return rise, math.sqrt(rest / (count - 2) / spread)
