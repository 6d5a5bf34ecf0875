"""Affine transforms between the pixels of a page image and the page in its file."""

from ocrqueue.geometry import Point

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f."""

IDENTITY: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

UPRIGHT = 1  # the EXIF orientation of an image that is stored upright
# By EXIF orientation (Exif 2.3, tag 274): degrees clockwise by which a viewer turns the stored image.
ROTATION_OF = {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}
ORIENTATION_OF = {0: 1, 90: 6, 180: 3, 270: 8}  # by rotation: the orientation that does not mirror


def apply(transform: Transform, x: float, y: float) -> Point:
    """The point to which (x, y) is moved."""
    a, b, c, d, e, f = transform
    return a * x + b * y + c, d * x + e * y + f


def inverse(transform: Transform) -> Transform:
    """The transform in the opposite direction. Raises ZeroDivisionError if `transform` maps the plane to a line."""
    a, b, c, d, e, f = transform
    det = a * e - b * d
    return e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det


def scaled(transform: Transform, sx: float, sy: float) -> Transform:
    """`transform` for points whose coordinates are first multiplied by `sx` and `sy`."""
    a, b, c, d, e, f = transform
    return a * sx, b * sy, c, d * sx, e * sy, f


def chained(first: Transform, then: Transform) -> Transform:
    """The transform that applies `first`, then `then`."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return g * a + h * d, g * b + h * e, g * c + h * f + i, j * a + k * d, j * b + k * e, j * c + k * f + m


def to_stored(orientation: int, width: float, height: float) -> Transform:
    """From the upright image to the stored image of width x height pixels, for an EXIF orientation (1 to 8).

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
    """Whether making an image of this EXIF orientation upright swaps its width and height."""
    return orientation >= 5


def between(first: Transform, second: Transform) -> Transform:
    """From the source coordinates of `first` to those of `second`, where both lead to the same target coordinates.

    Raises ZeroDivisionError if `second` maps the plane to a line.
    """
    return chained(first, inverse(second))
