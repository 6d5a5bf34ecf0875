"""From the pixels of a page to lines: find them, cut them out, read them one by one.

The networks are PP-OCR's, and what turns the detector's map into boxes is RapidOCR's. What is different from RapidOCR:
lines are cut from the page in its full size, and averaged when they are made smaller; each is read in its own width,
padded to a step alone; and no classifier looks for upside-down lines: one that is read with little confidence is turned
and read again, and the better reading stays.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidocr.ch_ppocr_det.main import TextDetector
from rapidocr.ch_ppocr_det.utils import DBPostProcess

from ocrqueue.engines.rapidocr.networks import Backend, Network
from ocrqueue.engines.rapidocr.words import LineReading, words_of
from ocrqueue.geometry import Quad
from ocrqueue.pages import Line
from ocrqueue.ppocr import LINE_HEIGHT, decode, network_input

Pixels = NDArray[np.uint8]  # height x width x 3, blue first, as PP-OCR wants it
QuadArray = NDArray[np.float32]  # 4 x 2, clockwise from top left
_GRID = 64  # the detector sees sides padded to multiples of it (it takes those of 32): each shape costs memory
_MAX_SIDE = 16384
_TALL = 1.5  # heights of a width: such a box holds a line that runs downwards
_LONG = 43.0  # heights of a line's length; a page's whole width of small print has less


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What decides the text that is read. Each value was chosen by measurement: bench/README.md."""

    long_side: int = 1280  # pixels of the page's longer side as the detector sees it
    short_side: int = 64  # ... of the shorter one at least, since a strip has a line too
    enlarge: float = 2.0  # how much larger than it is a page is shown to the detector at most
    pixel_threshold: float = 0.3  # how sure the detector is of a pixel of text
    box_threshold: float = 0.5  # ... of a line
    unclip: float = 1.6  # how far a box reaches beyond what the detector marks
    max_boxes: int = 1000
    min_confidence: float = 0.5  # of a line that is kept
    turn_below: float = 0.8  # confidence below which a line may be upside down
    turn_sparse: float = 0.7  # ... or characters to a height of its length; text has about two
    squeezed: float = 0.94  # part of its width in which a line may be shown to the recogniser, whose time goes with it
    narrowed: float = 0.85  # ... a long one that has pixels to lose: wider than the next, and higher than the one after
    narrow_from: int = 600
    narrow_height: int = 28
    max_width: int = 4096  # of a line for the recogniser; a longer one is squeezed


class PageReader:
    """A detector and a recogniser in memory."""

    def __init__(self, detector: Path, recogniser: Path, backend: Backend, settings: ReaderSettings) -> None:
        cv2.setNumThreads(1)
        self._settings = s = settings
        self._detector: Network = backend(detector)
        self._recogniser: Network = backend(recogniser)
        self._characters = ["", *self._recogniser.characters, " "]  # the first stands for none
        self._boxes_of = DBPostProcess(s.pixel_threshold, s.box_threshold, s.max_boxes, s.unclip, "fast", True)

    @property
    def precision(self) -> str:
        """Of the networks' numbers, such as "f32"."""
        return self._recogniser.precision

    def lines(self, pixels: Pixels) -> list[Line]:
        """The lines of a page, in rows from the top."""
        try:
            boxes = self.find(pixels)
        finally:
            self._detector.release()  # as much again as all that is left
        try:
            return list(self.read(pixels, boxes))
        finally:
            if any(map(_is_long, boxes)):
                self._recogniser.release()  # it would keep what the longest line of all took

    def find(self, pixels: Pixels) -> list[QuadArray]:
        """The boxes of lines on a page."""
        height, width = pixels.shape[:2]
        wide, high = self._shown_size(width, height)
        shown = np.full((_padded(high, _GRID), _padded(wide, _GRID), 3), 255, np.uint8)
        shown[:high, :wide] = resized(pixels, wide, high)
        reach = round(shown.shape[0] * height / high), round(shown.shape[1] * width / wide)
        boxes, _ = self._boxes_of(self._detector(network_input(shown)[None]), reach)
        if not len(boxes):
            return []
        return [np.clip(box, 0, (width, height)) for box in TextDetector.sorted_boxes(boxes)]

    def _shown_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a page as the detector sees it."""
        s = self._settings
        scale = min(s.enlarge, max(s.long_side / max(width, height), s.short_side / min(width, height)))
        wide, high = (min(_MAX_SIDE, max(1, round(side * scale))) for side in (width, height))
        return wide, high

    def read(self, pixels: Pixels, boxes: list[QuadArray]) -> Iterator[Line]:
        """The lines in these boxes, without those that hold no text.

        They are read by width: where the one before had another, the network takes a millisecond or two more.
        """
        aspects = [width / height for width, height in (size_of(reading_quad(corners)) for corners in boxes)]
        found = {i: self._read_box(pixels, boxes[i]) for i in sorted(range(len(boxes)), key=aspects.__getitem__)}
        for i, corners in enumerate(boxes):
            quad, reading = found[i]
            if reading.text.strip() and reading.confidence >= self._settings.min_confidence:
                yield Line(reading.text, to_quad(corners), reading.confidence, words=words_of(reading, to_quad(quad)))

    def _read_box(self, pixels: Pixels, corners: QuadArray) -> tuple[QuadArray, LineReading]:
        """What a box says, and its corners in the direction of reading."""
        quad = reading_quad(corners)
        crop = cut(pixels, quad)
        reading = self._recognise(crop)
        if self._is_doubtful(reading):
            turned = self._recognise(crop[::-1, ::-1])
            if turned.weight > reading.weight:
                return np.roll(quad, 2, axis=0), turned
        return quad, reading

    def _is_doubtful(self, reading: LineReading) -> bool:
        """Whether a line may be upside down: then little of it is read, or with little confidence."""
        s = self._settings
        return reading.confidence < s.turn_below or reading.weight < s.turn_sparse * reading.aspect

    def _recognise(self, crop: Pixels) -> LineReading:
        """The text of a line that is cut out of the page."""
        height, width = crop.shape[:2]
        wide = shown_width(width, height, self._settings)
        padded = padded_width(wide)
        output = self._recogniser(network_input(resized(crop, wide, LINE_HEIGHT), padded)[None])[0]
        columns, classes, confidences = decode(output)
        if not len(columns):
            return LineReading("", 0.0, (), width / height)
        places = (columns + 0.5) * (padded / len(output) / wide)
        text = "".join(self._characters[i] for i in classes)
        return LineReading(text, float(confidences.mean()), tuple(places.tolist()), width / height)


def reading_quad(corners: QuadArray) -> QuadArray:
    """The corners of a box from where its line begins; of a tall one, the line is taken to run downwards."""
    wide, high = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    return np.roll(corners, -1, axis=0) if high >= _TALL * wide else corners


def _is_long(corners: QuadArray) -> bool:
    """Whether a line is so long that reading it takes more memory than lines of a page usually do."""
    wide, high = size_of(reading_quad(corners))
    return wide > _LONG * high


def shown_width(width: int, height: int, settings: ReaderSettings) -> int:
    """The width in which the recogniser is shown a line of this size: a whole step where one is near enough below."""
    wide = min(settings.max_width, max(1, math.ceil(LINE_HEIGHT * width / height)))
    least = settings.squeezed * wide
    if height >= settings.narrow_height and wide > settings.narrow_from:
        least = max(settings.narrow_from, settings.narrowed * wide)
    return min(wide, padded_width(math.ceil(least)))


def padded_width(width: int) -> int:
    """The width that a line is padded to: one of some fifty, since each shape costs time at first, then memory."""
    return _padded(width, _step(width))


def _step(width: int) -> int:
    return 32 if width <= 512 else 64 if width <= 1024 else 128


def _padded(size: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-size // step) * step


def size_of(quad: QuadArray) -> tuple[int, int]:
    """Width and height of a line when it is straightened, in pixels of the page."""
    top, right, bottom, left = (float(np.linalg.norm(quad[i] - quad[(i + 1) % 4])) for i in range(4))
    return max(1, int(max(top, bottom))), max(1, int(max(right, left)))


def cut(pixels: Pixels, quad: QuadArray) -> Pixels:
    """A line, straightened, in the page's own resolution."""
    width, height = size_of(quad)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    how = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    line = cv2.warpPerspective(pixels, how, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return line.astype(np.uint8, copy=False)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Pixels in another size; averaged where it is smaller, so that thin strokes survive."""
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=how).astype(np.uint8, copy=False)


def to_quad(corners: QuadArray) -> Quad:
    """QuadArray as plain numbers."""
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return a, b, c, d
