"""Affine transforms between the pixels of a page image and the page as it lies in its file."""

from ocrqueue.geometry import Point

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f."""

IDENTITY: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

UPRIGHT = 1
ROTATION_OF = {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}  # degrees clockwise that a viewer turns by
ORIENTATION_OF = {0: 1, 90: 6, 180: 3, 270: 8}  # the same without mirroring


def apply(transform: Transform, x: float, y: float) -> Point:
    """Where the point (x, y) goes."""
    a, b, c, d, e, f = transform
    return a * x + b * y + c, d * x + e * y + f


def inverse(transform: Transform) -> Transform:
    """The transform that takes points back. Raises ZeroDivisionError where none does."""
    a, b, c, d, e, f = transform
    det = a * e - b * d
    return e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det


def scaled(transform: Transform, sx: float, sy: float) -> Transform:
    """The transform of points whose coordinates are first multiplied by sx and sy."""
    a, b, c, d, e, f = transform
    return a * sx, b * sy, c, d * sx, e * sy, f


def chained(first: Transform, then: Transform) -> Transform:
    """The transform that does one and then the other."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return g * a + h * d, g * b + h * e, g * c + h * f + i, j * a + k * d, j * b + k * e, j * c + k * f + m


def to_stored(orientation: int, width: float, height: float) -> Transform:
    """From the upright image to the stored one of width x height, for an orientation of the EXIF standard (1 to 8).

    Coordinates are continuous: (0, 0) is the outer corner of the first pixel, (width, height) that of the last.
    """
    w, h = float(width), float(height)
    table: dict[int, Transform] = {
        2: (-1.0, 0.0, w, 0.0, 1.0, 0.0),
        3: (-1.0, 0.0, w, 0.0, -1.0, h),
        4: (1.0, 0.0, 0.0, 0.0, -1.0, h),
        5: (0.0, 1.0, 0.0, 1.0, 0.0, 0.0),
        6: (0.0, 1.0, 0.0, -1.0, 0.0, h),
        7: (0.0, -1.0, w, -1.0, 0.0, h),
        8: (0.0, -1.0, w, 1.0, 0.0, 0.0),
    }
    return table.get(orientation, IDENTITY)


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places when an image of this orientation is made upright."""
    return orientation >= 5


def between(first: Transform, second: Transform) -> Transform:
    """From the points that `first` takes to those that `second` takes to the same place. ZeroDivisionError if flat."""
    return chained(first, inverse(second))
