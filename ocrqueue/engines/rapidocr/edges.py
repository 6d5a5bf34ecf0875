"""The upper and the lower edge of a line, in parts of pixels.

The boxes of lines have whole pixels of the detector's output, and reach to the outermost ones with text. A small letter
is some five of them high, so the recogniser would be shown letters of one size in several heights.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_AROUND = 2  # pixels above and below a box that are looked at


def exact_edges(scores: Floats, quad: Floats, growth: float) -> Floats:
    """The quad of a line (4 x 2, from the beginning of the line) with exact upper and lower edges.

    They are where the mean score along the line is half of the largest, moved apart as boxes are grown (see
    `BoxFinder.unclip`), with `growth` times. `scores` is the detector's output, and the quad has its pixels.
    """
    along, down = quad[1] - quad[0], quad[3] - quad[0]
    length, height = float(np.linalg.norm(along)), float(np.linalg.norm(down))
    if min(length, height) < 1:
        return quad
    along, down = along / length, down / height
    corner = quad[0] - _AROUND * down
    turn = np.array([[along[0], down[0], corner[0]], [along[1], down[1], corner[1]]], np.float64)
    size = int(length) + 1, int(height) + 1 + 2 * _AROUND
    line = cv2.warpAffine(scores, turn, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    top, bottom = _half(line.mean(axis=1))
    thick = bottom - top
    long = max(thick, length - (height - thick))  # the line before its box was grown, on all sides by as much
    grown = growth * long * thick / (2 * (long + thick))
    above, below = top - _AROUND - grown, bottom - _AROUND + grown - height
    moved: Floats = quad + np.array([above, above, below, below], np.float32)[:, None] * down
    return moved


def _half(profile: NDArray[np.float32]) -> tuple[float, float]:
    """Where a profile falls to half of its peak, before the peak and after it, between its indices.

    The peak is in the middle half, since the next line may be near.
    """
    quarter = len(profile) // 4
    peak = quarter + int(profile[quarter:-quarter].argmax())
    half = float(profile[peak]) / 2
    low = profile < half
    before, after = low[:peak].nonzero()[0], low[peak:].nonzero()[0]
    first = _crossing(profile, before[-1], 1, half) if len(before) else 0.0
    last = _crossing(profile, peak + after[0], -1, half) if len(after) else len(profile) - 1.0
    return first, last


def _crossing(profile: NDArray[np.float32], low: int, step: int, value: float) -> float:
    """Where a profile has this value: between the index `low`, where it has less, and the next one in a direction."""
    below, above = float(profile[low]), float(profile[low + step])
    return float(low + step * (value - below) / (above - below))
