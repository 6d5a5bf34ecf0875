"""What a PDF page paints, where, and in which order. Boxes are in points of the upright page."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.mupdf import extra, mupdf, pymupdf
from ocrqueue.geometry import Point, Rect

_DPI = 150  # dots per inch of the grey image in which ink is looked for
_MAX_PIXELS = 20_000_000  # of that image: bounds its memory
_ROWS = 500  # pairs of heights whose columns are kept: a page has some 100 lines
_MIN_CONTRAST = 16  # of 255: a visible letter differs from its surroundings by at least so much


class Painting:
    """The page as a small grey image. It is rendered at the first use."""

    def __init__(self, displayed: Any) -> None:
        self._displayed = displayed
        size = displayed.rect
        self._width = size.width
        self._zoom = min(_DPI / 72, math.sqrt(_MAX_PIXELS / (size.width * size.height)))
        self._pixels: np.ndarray[Any, Any] | None = None
        self._rows: dict[tuple[float, float], tuple[bytes, bytes]] = {}  # see `_inside_rows`

    def part(self, box: Rect) -> "np.ndarray[Any, Any]":
        """The pixels in a box: rows x columns, 0 to 255, a view; empty if the box is outside of the page."""
        if self._pixels is None:
            matrix = pymupdf.Matrix(self._zoom, self._zoom)
            pixmap = self._displayed.get_pixmap(matrix=matrix, colorspace=pymupdf.csGRAY, alpha=0)
            rows = np.frombuffer(pixmap.samples_mv, np.uint8).reshape(pixmap.height, pixmap.stride)
            self._pixels = rows[:, : pixmap.width].copy()
        left, right = self._columns(box)
        top, bottom = max(0, math.floor(box[1] * self._zoom)), math.ceil(box[3] * self._zoom)
        return self._pixels[top : max(bottom, top), left : max(right, left)]

    def _columns(self, box: Rect) -> tuple[int, int]:
        """The first column of pixels in a box, and the first one after it."""
        return max(0, math.floor(box[0] * self._zoom)), math.ceil(box[2] * self._zoom)

    def paint_over(self, boxes: Iterable[Rect]) -> None:
        """Fill each box with its commonest grey value."""
        self._rows.clear()
        for box in boxes:
            part = self.part(box)
            if part.size:
                part[:] = np.bincount(part.ravel(), minlength=256).argmax()

    def has_ink(self, box: Rect) -> bool | None:
        """Whether a box contains ink; None if only its outermost pixels differ, which may belong to a neighbour."""
        darkest, lightest = self._inside_rows(box[1], box[3])
        start, end = self._columns(box)
        inside = slice(start + 1, max(0, min(end, len(darkest)) - 1))
        if max(lightest[inside], default=0) - min(darkest[inside], default=0) >= _MIN_CONTRAST:
            return True
        return None if _stands_out(self.part(box)) else False

    def _inside_rows(self, top: float, bottom: float) -> tuple[bytes, bytes]:
        """The darkest and the lightest value of each column between two heights, without the outermost rows.

        The letters of a line mostly share them.
        """
        found = self._rows.get((top, bottom))
        if found is None:
            pixels = self.part((0.0, top, self._width, bottom))[1:-1]
            found = (pixels.min(axis=0).tobytes(), pixels.max(axis=0).tobytes()) if len(pixels) else (b"", b"")
            if len(self._rows) >= _ROWS:
                self._rows.clear()
            self._rows[top, bottom] = found
        return found


def _stands_out(pixels: "np.ndarray[Any, Any]") -> bool:
    return bool(pixels.size) and int(pixels.max()) - int(pixels.min()) >= _MIN_CONTRAST


def painted_on(displayed: Any) -> list[tuple[str, Rect]]:
    """What a display list paints, in order: MuPDF's name, such as "fill-image", and the box before clipping."""
    found: list[tuple[str, Rect]] = []
    _run_device(displayed, pymupdf.JM_new_bbox_device(found, False))
    return found


def order_of_text(displayed: Any) -> dict[tuple[int, int], int]:
    """By the origin of a character (see `place_of`): when it was painted last, as an index of `painted_on`."""
    return {place_of(char[2]): span["seqno"] for span in _traced(displayed) for char in span["chars"]}


def glyphs_on(displayed: Any) -> dict[tuple[int, int], int]:
    """By the origin of a character (see `place_of`): the number of its glyph in its font."""
    return {place_of(char[2]): char[1] for span in _traced(displayed) for char in span["chars"]}


def _traced(displayed: Any) -> list[dict[str, Any]]:
    """The pieces of text of a display list, as PyMuPDF's `get_texttrace` has them."""
    found: list[dict[str, Any]] = []
    device = extra.JM_new_texttrace_device(found)
    device.ptm = mupdf.FzMatrix()
    _run_device(displayed, device)
    return found


def place_of(origin: Point) -> tuple[int, int]:
    """The origin of a character in whole tenths of a point, so that rounding errors do not matter."""
    return round(origin[0] * 10), round(origin[1] * 10)


def opaque_images(page: Any, painted: list[tuple[str, Rect]]) -> set[tuple[int, ...]]:
    """The boxes of images without a mask, in whole points of the upright page."""
    if not any(kind == "fill-image" for kind, _ in painted):
        return set()
    turn = page.rotation_matrix
    return {
        rounded((pymupdf.Rect(image["bbox"]) * turn).normalize())
        for image in page.get_image_info(xrefs=False)
        if not image.get("has-mask")
    }


def _run_device(displayed: Any, device: Any) -> None:
    everywhere = mupdf.FzRect(mupdf.FzRect.Fixed_INFINITE)
    mupdf.fz_run_display_list(displayed.this, device, mupdf.FzMatrix(), everywhere, mupdf.FzCookie())
    mupdf.fz_close_device(device)


def rounded(box: Iterable[float]) -> tuple[int, ...]:
    """A box rounded to whole points."""
    return tuple(round(v) for v in box)
