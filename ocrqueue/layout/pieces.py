"""Pieces: lines of text as rectangles in coordinates of the layout, so that their edges can be compared."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ocrqueue.geometry import Point, Quad, Rect, bounds
from ocrqueue.pages import Line, is_right_to_left

_FAR = 1e6  # pixels: larger coordinates are errors of an engine, and are cut to this
_MAX_SKEW = math.radians(15)  # a line that leans more was turned on purpose, and does not count for the page
_LEANS = math.tan(_MAX_SKEW + math.radians(5))
_LONG = 5  # times its height: the quad of a line so long shows its direction reliably
_VERTICAL = 1.5  # times its width: a line so high is written downwards
_TURNED = 2  # times its size: a line that reaches so far up and down was turned
_NOTE = 8  # characters of a note in the margin, at least
# Ranges of Unicode code points: Kana, Han, Hangul, Han again.
_EAST_ASIAN = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


@dataclass(frozen=True, slots=True)
class Frame:
    """The coordinates of the layout: text runs to the right in them, and lines follow each other downwards."""

    angle: float = 0.0  # radians clockwise: the skew of the text on the page
    vertical: bool = False  # whether text is written downwards, in columns from right to left
    leftwards: bool = False  # whether text runs to the left, as Arabic and Hebrew do: the page is seen in a mirror

    @property
    def is_turned(self) -> bool:
        """Whether the coordinates of the layout differ from those of the page image."""
        return bool(self.vertical or self.angle or self.leftwards)

    def place(self, point: Point) -> Point:
        """A point of the page image (in pixels) in coordinates of the layout."""
        x, y = point
        if self.vertical:
            return y, -x
        if not self.angle:
            return -x if self.leftwards else x, y
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        along = x * cos + y * sin
        return -along if self.leftwards else along, y * cos - x * sin


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A line as a rectangle in coordinates of the layout."""

    line: Line
    left: float
    top: float
    right: float
    bottom: float
    size: float  # height of the line, about its font size; at least 1 pixel
    width: float  # length along the line; like `middle` a field, because they are read a thousand times a line
    middle: float  # halfway between top and bottom


def frame_of(lines: Sequence[Line]) -> Frame:
    """How the text of a page runs: downwards where most of it does and is East Asian, or to the left where most does.

    Its lean is that of its long lines.
    """
    tall = sum(len(line.text) for line in lines if _is_tall(line))
    if tall * 2 > sum(len(line.text) for line in lines):
        return Frame(vertical=True)
    leans = sorted(lean for line in lines if (lean := _lean(line)) is not None)
    return Frame(angle=median(leans) if len(leans) > 2 else 0.0, leftwards=runs_leftwards(lines))


def piece_of(line: Line, frame: Frame) -> Piece:
    """The piece of a line. A line with an invalid box gives a small or empty piece."""
    corners = _bounded(line.box)
    left, top, right, bottom = _placed(corners, frame)
    _, across = _sides(corners) if not frame.vertical else reversed(_sides(corners))
    size = min(across, bottom - top) if across else bottom - top
    return Piece(line, left, top, right, bottom, max(size, 1.0), right - left, (top + bottom) / 2)


def is_note(piece: Piece) -> bool:
    """Whether a line was turned on purpose and belongs to no row: a note in the margin, or a stamp across the page.

    A short one at a right angle belongs to what stands beside it, such as the name of a column or of a form.
    """
    if leans(piece.line.box):
        return True
    if piece.bottom - piece.top <= _TURNED * piece.size:
        return False  # as nearly every line
    return len(piece.line.text) >= _NOTE or piece.width > _TURNED * piece.size


def leans(box: Quad) -> bool:
    """Whether a line runs neither along the page image nor at a right angle to it, by more than pages are skewed."""
    if len(box) != 4:
        return False
    across, down = abs(box[1][0] - box[0][0]), abs(box[1][1] - box[0][1])
    return across > _LEANS * down and down > _LEANS * across


def is_upside_down(box: Quad) -> bool:
    """Whether a line runs from right to left on the page image because it was turned by half a turn."""
    return len(box) == 4 and box[1][0] - box[0][0] < -abs(box[1][1] - box[0][1])


def placed_bounds(box: Iterable[Point], frame: Frame) -> Rect:
    """The rectangle around a quad in coordinates of the layout; (0, 0, 0, 0) without points."""
    return _placed(_bounded(box), frame)


def placed_edges(boxes: Iterable[Quad], frame: Frame) -> list[tuple[float, float]]:
    """Left and right edges of quads in coordinates of the layout: those of `placed_bounds`."""
    found: list[tuple[float, float]] = []
    is_turned = frame.is_turned
    for box in boxes:
        if not is_turned and len(box) == 4:
            (a, _), (b, _), (c, _), (d, _) = box
            if abs(a) + abs(b) + abs(c) + abs(d) <= _FAR:
                found.append((min(a, b, c, d), max(a, b, c, d)))
                continue
        left, _, right, _ = placed_bounds(box, frame)
        found.append((left, right))
    return found


def _placed(corners: Sequence[Point], frame: Frame) -> Rect:
    """The rectangle around bounded corners in coordinates of the layout; (0, 0, 0, 0) without corners."""
    if not corners:
        return bounds([frame.place((0.0, 0.0))])
    return bounds(map(frame.place, corners) if frame.is_turned else corners)


def runs_leftwards(lines: Iterable[Line]) -> bool:
    """Whether more of the text of a page is in lines that run to the left than in others."""
    return sum(len(line.text) * (1 if is_right_to_left(line.text) else -1) for line in lines) > 0


def is_east_asian(char: str) -> bool:
    """Whether a character is Han, Kana or Hangul: these scripts may be written downwards."""
    code = ord(char)
    return code >= _EAST_ASIAN[0][0] and any(low <= code <= high for low, high in _EAST_ASIAN)


def _bounded(box: Iterable[Point]) -> Sequence[Point]:
    """The corners of a box, with coordinates that are numbers of at most `_FAR`."""
    corners = tuple(box)
    if len(corners) == 4:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
        if abs(ax) + abs(ay) + abs(bx) + abs(by) + abs(cx) + abs(cy) + abs(dx) + abs(dy) <= _FAR:
            return corners  # nearly always: their sum is small, and so is each of them
    return [(_near(x), _near(y)) for x, y in corners]


def _near(value: float) -> float:
    return min(max(float(value), -_FAR), _FAR) if math.isfinite(value) else 0.0


def _sides(corners: Sequence[Point]) -> tuple[float, float]:
    """Mean length of the top and bottom sides, and of the left and right sides; 0 and 0 without four corners.

    `corners` are bounded.
    """
    if len(corners) != 4:
        return 0.0, 0.0
    a, b, c, d = corners
    return (math.dist(a, b) + math.dist(d, c)) / 2, (math.dist(a, d) + math.dist(b, c)) / 2


def _is_tall(line: Line) -> bool:
    """Whether a line is written downwards in an East Asian script."""
    if len(line.text) < 2 or line.text.isascii():
        return False
    along, across = _sides(_bounded(line.box))
    return across > _VERTICAL * along and any(map(is_east_asian, line.text))


def _lean(line: Line) -> float | None:
    """The skew of a line in radians; None if the line is too short to show it, or was turned on purpose."""
    corners = _bounded(line.box)
    along, across = _sides(corners)
    if along < _LONG * max(across, 1.0):
        return None
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    angle = math.atan2(by - ay + cy - dy, bx - ax + cx - dx)
    return angle if abs(angle) < _MAX_SKEW else None
