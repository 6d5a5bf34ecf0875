"""From the pixels of a page to lines of text: the lines are found, cut out, and read one by one.

The networks are PP-OCR's. The differences to RapidOCR: lines are cut from the page at full resolution, and averaged
when they are scaled down. Each line is read at its own width, padded to the next of some forty widths. Upside-down
lines are not found by a classifier: a line that is read with low confidence is turned and read again, and the better
reading is kept.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrqueue.engines.rapidocr.boxes import BoxFinder
from ocrqueue.engines.rapidocr.edges import exact_edges
from ocrqueue.engines.rapidocr.inks import crossing_inks
from ocrqueue.engines.rapidocr.marks import marks_on
from ocrqueue.engines.rapidocr.networks import Backend, Network, OnnxRuntime, detector
from ocrqueue.engines.rapidocr.recogniser import Recogniser, Split, exact, load
from ocrqueue.engines.rapidocr.weights import Precision, Weights, int8_of
from ocrqueue.engines.rapidocr.words import LineReading, words_of
from ocrqueue.geometry import Quad
from ocrqueue.pages import Line, PageText
from ocrqueue.vision.ppocr import LINE_HEIGHT, character_columns, network_input

Pixels = NDArray[np.uint8]  # height x width x 3, blue first, as PP-OCR was trained
QuadArray = NDArray[np.float32]  # 4 x 2: the corners of a `Quad`, in pixels of the page
Readings = dict[int, tuple[QuadArray, LineReading]]  # by index of the box: its corners in reading direction, reading
_GRID = 64  # pixels; the detector's input is padded to multiples of it, because each new shape costs memory
_MAX_SIDE = 16384  # pixels; the longest side of the detector's input, which bounds its memory
_TALL = 1.5  # heights per width; a box at least so tall contains a line that runs downwards, PP-OCR's own rule
_LONG = 43.0  # widths per height; the full width of a page in small print is shorter
_TOGETHER = 8  # lines that are read together; after so many, a page that is read poorly in int8 is noticed


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """The parameters that decide which text is read. Each value was chosen by measurement (docs/benchmarks.md)."""

    long_side: int = 1280  # pixels; the detector's input has a longer side of this length
    short_side: int = 320  # pixels; its shorter side has at least this length, so that a long receipt is readable
    enlarge: float = 2.0  # largest scale from the page to the detector's input
    letter_height: float = 10.0  # pixels; where the letters are higher, the detector's input is smaller
    pixel_threshold: float = 0.3  # 0 to 1; the detector's score from which on a pixel is text
    box_threshold: float = 0.5  # 0 to 1; the mean score from which on a region is a line
    unclip: float = 1.6  # by how much a region is grown: its area times this, over its perimeter
    unclip_less: float = 0.4  # how much less per scale where the detector's input is smaller: its regions are wider
    growth: float = 2.2  # the same in height, for what the recogniser is shown of a line
    max_boxes: int = 1000  # lines on a page at most
    min_confidence: float = 0.5  # 0 to 1; a line that is read with less is dropped
    turn_below: float = 0.8  # 0 to 1; a line that is read with less may be upside down
    turn_sparse: float = 0.7  # characters per line height of length; a line with less may be upside down (usual: two)
    exact_below: float = 0.955  # 0 to 1; a page that is read with less in int8 is read again in f32,
    exact_from: float = 0.85  # 0 to 1; but not one with less than this: f32 reads it hardly better,
    exact_gain: float = 0.002  # 0 to 1; and only if f32 is surer of its widest lines by at least so much
    squeezed: float = 0.94  # smallest share of its width at which a line is shown to the recogniser, to save time
    narrowed: float = 0.85  # the same for a line wider than `narrow_from` and at least `narrow_height` high
    narrow_from: int = 600  # pixels of width at the recogniser's line height
    narrow_height: int = 28  # pixels of the page
    max_width: int = 4096  # pixels; a line that is longer for the recogniser is squeezed to it


class Box(NamedTuple):
    """Where a line is, in pixels of the page."""

    corners: QuadArray
    quad: QuadArray  # the same, from the beginning of the line
    shown: QuadArray  # what the recogniser is shown of it, likewise


class PageReader:
    """A detector and a recogniser that are loaded, and the code that reads a page with them."""

    def __init__(
        self, files: dict[str, Weights], backend: Backend, settings: ReaderSettings, precision: Precision
    ) -> None:
        cv2.setNumThreads(1)
        self._settings = s = settings
        quick = int8_of("Det", files["Det"]) if precision == "int8" and backend is not OnnxRuntime else None
        self._detector: Network = detector(quick or files["Det"].file, backend, rounds=precision == "default")
        self._file = files["Rec"].file
        self._recogniser: Recogniser = load(files["Rec"], backend, precision)
        self._padded_width = fine_width if backend is OnnxRuntime else padded_width
        self._boxes_of = BoxFinder(s.pixel_threshold, s.box_threshold, s.unclip, s.max_boxes)

    @property
    def precision(self) -> str:
        """The number type in which the networks compute, such as "f32"."""
        return self._recogniser.precision

    def page(self, pixels: Pixels) -> PageText:
        """Read a page. Its lines are sorted in rows from the top.

        Where a coloured stamp crosses black print, each is read without the other, if that gives more text.
        """
        whole = self._page(pixels)
        if (inks := crossing_inks(pixels)) is None:
            return whole
        black, coloured = map(self._page, inks)
        known = {line.text for line in black.lines}
        lines = [*black.lines, *(line for line in coloured.lines if line.text not in known)]
        return replace(black, lines=lines) if _weight(lines) > _weight(whole.lines) else whole

    def _page(self, pixels: Pixels) -> PageText:
        """Read a page as it is."""
        try:
            boxes = self.find(pixels)
        finally:
            self._detector.release()  # its working memory is as large as all other memory of the engine
        try:
            lines = self._lines(boxes, self._readings(pixels, boxes))
            return PageText(lines, unread=_missing(boxes, lines))
        finally:
            if any(_is_long(box.quad) for box in boxes):
                self._recogniser.release()  # otherwise it keeps the memory that the longest line needed

    def find(self, pixels: Pixels) -> list[Box]:
        """Find the lines on a page. The detector sees the part with marks, and large letters smaller."""
        s, (height, width) = self._settings, pixels.shape[:2]
        wide, high = self._shown_size(width, height)
        page = resized(pixels, wide, high)
        marks = marks_on(page)
        if marks is None:
            return []
        if (scale := marks.scale(s.letter_height)) < 1:
            wide, high = round(wide * scale), round(high * scale)
            page = resized(page, wide, high)
        left, top, right, bottom = marks.area(wide, high, _GRID)
        part = page[top:bottom, left:right]
        shown = np.full((_padded(bottom - top, _GRID), _padded(right - left, _GRID), 3), 255, np.uint8)
        shown[: bottom - top, : right - left] = part
        across, down = width / wide, height / high  # pixels of the page per pixel of the detector's input
        scores = self._detector(network_input(shown)[None])[0, 0]
        finder = replace(self._boxes_of, unclip=s.unclip - s.unclip_less * (1 - scale))
        boxes = finder(scores, round(shown.shape[1] * across), round(shown.shape[0] * down))

        def on_page(corners: QuadArray) -> QuadArray:
            return np.clip(corners + np.array([left * across, top * down], np.float32), 0, (width, height))

        pixel = np.array([across, down], np.float32)
        quads = [(box, reading_quad(box)) for box in boxes]
        return [
            Box(on_page(box), on_page(quad), on_page(exact_edges(scores, quad / pixel, s.growth) * pixel))
            for box, quad in quads
        ]

    def _shown_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a page in the detector's input at most, without padding, in pixels."""
        s = self._settings
        scale = min(s.enlarge, max(s.long_side / max(width, height), s.short_side / min(width, height)))
        wide, high = (min(_MAX_SIDE, max(1, round(side * scale))) for side in (width, height))
        return wide, high

    def _readings(self, pixels: Pixels, boxes: list[Box]) -> Readings:
        """Read these boxes, in int8 if that is the recogniser's precision, and in f32 where that is too poor.

        They are read in the order of their width, because the network needs 2 to 4 ms more whenever the width changes.
        The widest are first: they hold most of the text, and soon show how well the page is read.
        """
        order = sorted(range(len(boxes)), key=lambda i: _aspect(boxes[i].quad), reverse=True)
        groups = [{i: boxes[i] for i in order[start : start + _TOGETHER]} for start in range(0, len(order), _TOGETHER)]
        found: Readings = {}
        s, may_be_poor = self._settings, self._recogniser.precision == "int8"
        for group in groups:
            found |= self._read_together(pixels, group)
            if may_be_poor and (confidence := self._confidence(found)) < s.exact_below:
                may_be_poor = False
                if confidence >= s.exact_from and (exactly := self._read_exactly(pixels, groups, found)):
                    return exactly
        return found

    def _read_exactly(self, pixels: Pixels, groups: list[dict[int, Box]], quickly: Readings) -> Readings | None:
        """Read these boxes in f32; None if it is hardly surer of the first group than int8, which has read it.

        Letters that the network does not know, such as Greek ones, are as hard in f32. Its network is loaded for one
        page and freed, because few pages need it.
        """
        quick = self._recogniser
        assert isinstance(quick, Split)
        self._recogniser = exact(self._file, quick)
        try:
            found = self._read_together(pixels, groups[0])
            before = self._confidence({i: quickly[i] for i in groups[0]})
            if self._confidence(found) < before + self._settings.exact_gain:
                return None
            for group in groups[1:]:
                found |= self._read_together(pixels, group)
            return found
        finally:
            self._recogniser = quick

    def _confidence(self, found: Readings) -> float:
        """The mean confidence of the characters in these readings, 0 to 1; 1 without any."""
        kept = [reading for _, reading in found.values() if self._is_kept(reading)]
        length = sum(len(reading.text) for reading in kept)
        return sum(len(reading.text) * reading.confidence for reading in kept) / length if length else 1.0

    def _lines(self, boxes: list[Box], found: Readings) -> list[Line]:
        """The readings that contain text, in the order of the boxes."""
        lines = []
        for i, box in enumerate(boxes):
            quad, reading = found[i]
            if self._is_kept(reading):
                words = words_of(reading, to_quad(quad))
                lines.append(Line(reading.text, to_quad(box.corners), reading.confidence, words=words))
        return lines

    def _is_kept(self, reading: LineReading) -> bool:
        """Whether a reading contains text, and is not dropped for its confidence."""
        return bool(reading.text.strip()) and reading.confidence >= self._settings.min_confidence

    def _read_together(self, pixels: Pixels, boxes: dict[int, Box]) -> Readings:
        """Read the lines in these boxes; upside down where that is better. Returns each with its quad as read."""
        read = self._recognise(cut(pixels, box.shown) for box in boxes.values())
        found = {i: (box.quad, reading) for (i, box), reading in zip(boxes.items(), read, strict=True)}
        doubtful = [i for i, (_, reading) in found.items() if self._is_doubtful(reading)]
        turned = self._recognise(cut(pixels, boxes[i].shown)[::-1, ::-1] for i in doubtful)
        for i, reading in zip(doubtful, turned, strict=True):
            if reading.weight > found[i][1].weight:
                found[i] = np.roll(boxes[i].quad, 2, axis=0), reading
        return found

    def _is_doubtful(self, reading: LineReading) -> bool:
        """Whether a line may be upside down: it was read with low confidence, or has few characters for its length."""
        s = self._settings
        return reading.confidence < s.turn_below or reading.weight < s.turn_sparse * reading.aspect

    def _recognise(self, crops: Iterable[Pixels]) -> list[LineReading]:
        """Read lines that are cut out of the page."""
        sizes: list[tuple[int, int, int]] = []  # of each line: width, height, and the width that is shown

        def shown() -> Iterator[NDArray[np.float32]]:
            for crop in crops:
                height, width = crop.shape[:2]
                sizes.append((width, height, wide := shown_width(width, height, self._settings)))
                yield network_input(resized(crop, wide, LINE_HEIGHT), self._padded_width(wide))[None]

        columns = self._recogniser(shown())
        return [self._reading(*found, *size) for found, size in zip(columns, sizes, strict=True)]

    def _reading(
        self, classes: NDArray[np.intp], confidences: NDArray[np.float32], width: int, height: int, shown: int
    ) -> LineReading:
        """What the recogniser found in the columns of a line, whose width was scaled to `shown` pixels."""
        columns = character_columns(classes)
        if not len(columns):
            return LineReading("", 0.0, (), width / height)
        places = (columns + 0.5) * (self._padded_width(shown) / len(classes) / shown)
        text = "".join(self._recogniser.characters[i] for i in classes[columns])
        sure = confidences[columns]
        return LineReading(text, float(sure.mean()), tuple(places.tolist()), width / height, tuple(sure.tolist()))


def reading_quad(corners: QuadArray) -> QuadArray:
    """The corners of a box from the beginning of its line; the line in a tall box runs downwards."""
    wide, high = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    return np.roll(corners, -1, axis=0) if high >= _TALL * wide else corners


def _aspect(quad: QuadArray) -> float:
    """The width of a quad divided by its height."""
    width, height = size_of(quad)
    return width / height


def _weight(lines: Iterable[Line]) -> float:
    """How much text lines have: their characters, each weighted by the confidence."""
    return sum(len(line.text) * (line.confidence or 0.0) for line in lines)


def _missing(boxes: list[Box], lines: list[Line]) -> float:
    """The share of the length of all boxes, in line heights, that those without a line have."""
    read, found = (
        sum(map(_length, quads)) for quads in ([line.box for line in lines], [to_quad(box.corners) for box in boxes])
    )
    return max(0.0, 1 - read / found) if found else 0.0


def _length(quad: Quad) -> float:
    """The length of a box in line heights, in whichever direction it is longer."""
    sides = math.dist(quad[0], quad[1]), math.dist(quad[0], quad[3])
    return max(sides) / max(1.0, min(sides))


def _is_long(quad: QuadArray) -> bool:
    """Whether reading a line takes more memory than most lines need, because it is so long."""
    wide, high = size_of(quad)
    return wide > _LONG * high


def shown_width(width: int, height: int, settings: ReaderSettings) -> int:
    """The width at which a line of this size is shown to the recogniser, in pixels.

    It is the smallest of some fifty widths that squeezes the line no more than the settings allow, so that little time
    is spent on padding; or the natural width, if that is smaller. `width` and `height` are pixels of the page.
    """
    wide = min(settings.max_width, max(1, math.ceil(LINE_HEIGHT * width / height)))
    least = settings.squeezed * wide
    if height >= settings.narrow_height and wide > settings.narrow_from:
        least = max(settings.narrow_from, settings.narrowed * wide)
    return min(wide, fine_width(math.ceil(least)))


def fine_width(width: int) -> int:
    """The next of some fifty widths, to which a line is squeezed. ONNX Runtime takes no longer for a new one."""
    return _padded(width, 32 if width <= 512 else 64 if width <= 1024 else 128)


def padded_width(width: int) -> int:
    """The width to which a line is padded for OpenVINO: one of some forty, as each new one costs time and memory."""
    return _padded(width, 64 if width <= 768 else 128)


def _padded(size: int, step: int) -> int:
    """`size`, rounded up to a multiple of `step`."""
    return -(-size // step) * step


def size_of(quad: QuadArray) -> tuple[int, int]:
    """Width and height of a quad when it is straightened to a rectangle, in pixels of the page."""
    a, b, c, d = quad.tolist()
    return max(1, int(max(math.dist(a, b), math.dist(c, d)))), max(1, int(max(math.dist(b, c), math.dist(d, a))))


def cut(pixels: Pixels, quad: QuadArray) -> Pixels:
    """Cut a line out of the page, straightened, at the page's resolution."""
    width, height = size_of(quad)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    # A line that is scaled down afterwards is averaged then: linear interpolation suffices, in a third of the time.
    flags = cv2.INTER_CUBIC if height < LINE_HEIGHT else cv2.INTER_LINEAR
    line = cv2.warpPerspective(pixels, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return line.astype(np.uint8, copy=False)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale pixels to another size. Scaling down averages pixels, so that thin strokes are not lost."""
    while (
        not any(size % 2 for size in pixels.shape[:2])
        and pixels.shape[0] >= 2 * height
        and pixels.shape[1] >= 2 * width
    ):
        # OpenCV halves many times as fast as it scales by other factors.
        pixels = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=method).astype(np.uint8, copy=False)


def to_quad(corners: QuadArray) -> Quad:
    """The corners as a tuple of Python numbers."""
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return a, b, c, d
