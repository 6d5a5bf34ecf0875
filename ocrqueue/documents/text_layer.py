"""The text layer of a page: lines that need no reading, and how they join what an engine reads beside them."""

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
from ocrqueue.pages import Line, PageText

if TYPE_CHECKING:
    from ocrqueue.documents.page_image import PageImage

_ROOM = 0.12  # of a line's height, painted over above it and below
_SAME = 0.5  # the part of a line that lies on lines of the layer, if it is one of them


@dataclass(frozen=True, slots=True)
class TextLayer:
    """What a page says by itself. Sizes, places and the rest are those of the page image, whether it is made or not."""

    width: int  # in pixels
    height: int  # in pixels
    dpi: float
    rotation: int  # as of `PageImage`
    transform: Transform  # as of `PageImage`
    lines: tuple[Line, ...]  # in the order of the file; boxes in pixels
    is_whole: bool  # nothing else on the page looks like text
    seconds: float  # that finding it took

    @property
    def text(self) -> PageText:
        """The lines as the text of a page."""
        return PageText(list(self.lines))

    def upright(self) -> "TextLayer":
        """Turned by quarters so that most of its text runs from left to right: pages are printed sideways, too."""
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
        """Paint over these lines, each in the colour that is most of its box: an engine then sees the rest alone."""
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
        """These lines and those that an engine found on `image`, each place once, from top to bottom."""
        own = self._placed(image)
        boxes = [bounds(line.box) for line in own]
        others = [line for line in found.lines if _covered(bounds(line.box), boxes) < _SAME]
        together = PageText(_inserted(own, others))
        if found.text is None or others:
            return together
        parts = [self.text.plain, found.text], [self.text.plain, found.markdown or found.text]
        plain, markdown = ("\n\n".join(part for part in each if part) for each in parts)
        return replace(together, text=plain, markdown=markdown)

    def _placed(self, image: "PageImage") -> list[Line]:
        """The lines with boxes in pixels of an image that may have been turned since."""
        if image.transform == self.transform:
            return list(self.lines)
        way = between(self.transform, image.transform)
        return [_moved(line, way) for line in self.lines]


def _quarter(lines: Sequence[Line]) -> int:
    """The direction of more than half of all characters, in quarter turns clockwise; 0 where none has so many."""
    count: Counter[int] = Counter()
    for line in lines:
        (x0, y0), (x1, y1), _, _ = line.box
        count[round(math.atan2(y1 - y0, x1 - x0) / (math.pi / 2)) % 4] += len(line.text)
    quarter, most = count.most_common(1)[0] if count else (0, 0)
    return quarter if 2 * most > count.total() else 0


def _taller(box: Quad) -> Quad:
    """The box with room for letters that are larger than their font says."""
    a, b, c, d = box
    return _from(d, a), _from(c, b), _from(b, c), _from(a, d)


def _from(far: Point, near: Point) -> Point:
    return near[0] + _ROOM * (near[0] - far[0]), near[1] + _ROOM * (near[1] - far[1])


def _moved(line: Line, way: Transform) -> Line:
    words = tuple(replace(word, box=_to(word.box, way)) for word in line.words)
    return replace(line, box=_to(line.box, way), words=words)


def _to(box: Quad, way: Transform) -> Quad:
    a, b, c, d = (apply(way, *point) for point in box)
    return a, b, c, d


def _covered(box: Rect, others: Sequence[Rect]) -> float:
    """The part of a box that lies on others, at most; they may overlap."""
    return sum(area(intersection(box, other)) for other in others) / max(area(box), 1e-9)


def _inserted(own: list[Line], others: list[Line]) -> list[Line]:
    """The own lines in their order, each other one before the first own line that stands below it."""
    lines = list(own)
    for other in others:
        _, top, _, bottom = bounds(other.box)
        below = (i for i, line in enumerate(lines) if line.origin != other.origin and _top(line) > (top + bottom) / 2)
        lines.insert(next(below, len(lines)), other)
    return lines


def _top(line: Line) -> float:
    return bounds(line.box)[1]
