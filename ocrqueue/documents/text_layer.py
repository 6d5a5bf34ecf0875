"""The text layer of a page: its lines need no OCR. Also joins them with lines that an engine reads on the same page."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ocrqueue.documents.transforms import (
    ORIENTATION_OF,
    Transform,
    apply,
    between,
    chained,
    inverse,
    swaps_sides,
    to_stored,
)
from ocrqueue.geometry import Point, Quad, Rect, area, bounds, intersection
from ocrqueue.pages import Line, PageText, PageWarning
from ocrqueue.states import WarningCode

if TYPE_CHECKING:
    from ocrqueue.documents.page_image import PageImage

_ROOM = 0.12  # share of a line's height that is painted over above and below it: letters exceed their font's box
_ADVICE = "read the page with --text-layer ignore"
_SAME = 0.5  # share of an engine line's area on lines of the layer, from which on both are the same text


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The text that the file contains for a page. All sizes are those of its page image, which need not exist."""

    width: int  # in pixels
    height: int  # in pixels
    dpi: float
    rotation: int  # as in `PageImage`
    transform: Transform  # as in `PageImage`
    lines: tuple[Line, ...]  # in the order of the file; boxes in pixels
    is_whole: bool  # whether nothing else on the page looks like text
    seconds: float  # time to extract it
    lost: float = 0.0  # share of its words of which a character is not in the lines, because the file does not name it

    @property
    def text(self) -> PageText:
        """The lines as a `PageText`, with a warning if characters are lost."""
        if not self.lost:
            return PageText(list(self.lines))
        message = f"the file does not say which characters {self.lost:.1%} of the words have: {_ADVICE}"
        return PageText(list(self.lines), warnings=(PageWarning(WarningCode.UNKNOWN_CHARACTERS, message),))

    @property
    def quality(self) -> float | None:
        """The share of its words that are whole, if some are not; else None, as for every text that was not read."""
        return 1 - self.lost if self.lost else None

    def upright(self) -> "TextLayer":
        """This layer turned by quarter turns so that most of its text runs from left to right."""
        turn = -90 * _quarter(self.lines) % 360
        if not turn:
            return self
        orientation = ORIENTATION_OF[turn]
        back = to_stored(orientation, self.width, self.height)
        width, height = (self.width, self.height)[:: -1 if swaps_sides(orientation) else 1]
        return replace(
            self,
            width=width,
            height=height,
            rotation=(self.rotation + turn) % 360,
            transform=chained(back, self.transform),
            lines=tuple(_moved(line, inverse(back)) for line in self.lines),
        )

    def hide(self, image: "PageImage") -> None:
        """Paint over these lines in `image`, each in the main colour of its box: an engine then reads only the rest."""
        from PIL import ImageDraw

        draw = ImageDraw.Draw(image.image)
        for line in self._placed(image):
            left, top, right, bottom = bounds(line.box)
            left, top = max(0, math.floor(left)), max(0, math.floor(top))
            right, bottom = min(image.width, math.ceil(right)), min(image.height, math.ceil(bottom))
            if left < right and top < bottom:
                part = image.image.crop((left, top, right, bottom))
                colours: list[tuple[int, Any]] = part.getcolors(part.width * part.height) or []
                draw.polygon(_taller(line.box), fill=max(colours, key=lambda c: c[0])[1])

    def joined(self, found: PageText, image: "PageImage") -> PageText:
        """These lines and those that an engine found on `image`, from top to bottom, without duplicates."""
        own = self._placed(image)
        boxes = [bounds(line.box) for line in own]
        others = [line for line in found.lines if _covered(bounds(line.box), boxes) < _SAME]
        together = PageText(_inserted(own, others), warnings=(*self.text.warnings, *found.warnings))
        if found.text is None or others:
            return together
        own_text = self.text.plain
        text = _paragraphs(own_text, found.text)
        return replace(together, text=text, markdown=_paragraphs(own_text, found.markdown or found.text))

    def _placed(self, image: "PageImage") -> list[Line]:
        """The lines with boxes in pixels of `image`, which may have been turned."""
        if image.transform == self.transform:
            return list(self.lines)
        way = between(self.transform, image.transform)
        return [_moved(line, way) for line in self.lines]


def _paragraphs(*texts: str) -> str:
    """The texts that are not empty, separated by empty lines."""
    return "\n\n".join(text for text in texts if text)


def _quarter(lines: Sequence[Line]) -> int:
    """The direction of more than half of all characters, in quarter turns clockwise; 0 if no direction has so many."""
    count: Counter[int] = Counter()
    for line in lines:
        (x0, y0), (x1, y1), _, _ = line.box
        count[round(math.atan2(y1 - y0, x1 - x0) / (math.pi / 2)) % 4] += len(line.text)
    quarter, most = count.most_common(1)[0] if count else (0, 0)
    return quarter if 2 * most > count.total() else 0


def _taller(box: Quad) -> Quad:
    """The box, extended above and below by `_ROOM`."""
    a, b, c, d = box
    return _from(d, a), _from(c, b), _from(b, c), _from(a, d)


def _from(far: Point, near: Point) -> Point:
    """The point beyond `near`, seen from `far`, by `_ROOM` of their distance."""
    return near[0] + _ROOM * (near[0] - far[0]), near[1] + _ROOM * (near[1] - far[1])


def _moved(line: Line, way: Transform) -> Line:
    words = tuple(replace(word, box=_to(word.box, way)) for word in line.words)
    return replace(line, box=_to(line.box, way), words=words)


def _to(box: Quad, way: Transform) -> Quad:
    a, b, c, d = (apply(way, *point) for point in box)
    return a, b, c, d


def _covered(box: Rect, others: Sequence[Rect]) -> float:
    """The share of a box that other boxes cover; too large where they overlap each other."""
    return sum(area(intersection(box, other)) for other in others) / max(area(box), 1e-9)


def _inserted(own: list[Line], others: list[Line]) -> list[Line]:
    """The lines `own` in their order, with each of `others` inserted before the first own line below it."""
    lines = list(own)
    for other in others:
        lines.insert(_place_of(other, lines), other)
    return lines


def _place_of(other: Line, lines: list[Line]) -> int:
    """The index of the first line of the other origin whose top is below the middle of `other`."""
    _, top, _, bottom = bounds(other.box)
    for index, line in enumerate(lines):
        if line.origin != other.origin and bounds(line.box)[1] > (top + bottom) / 2:
            return index
    return len(lines)
