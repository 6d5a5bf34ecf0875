"""List items: splits the lines of a list into its items, and finds their markers and depths."""

import re
from collections.abc import Sequence

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import Rect, union
from ocrqueue.layout.bullets import BULLETS, TICKS
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text

_BULLET = re.compile(rf"[{BULLETS}{TICKS}·∙](?=\s*\S)|[-–—*+](?=\s)")
_NUMBER = re.compile(r"\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)](?=\s)|\[\d{1,3}\](?=\s)")
_SMALLEST, _LARGEST = 1.5, 8.0  # points: sides of a bullet
_ROUND = 1.5  # ratio of the sides of a bullet, at most
_LEFT = 24.0  # points: a bullet is at most so far left of its line
_SAME_INDENT = 0.5  # sizes of type: markers at most so far apart are of one depth


def bullets_among(shapes: Sequence[Rect]) -> list[Rect]:
    """The shapes that are small and round or square: browsers print bullets so, not as text."""
    small = []
    for left, top, right, bottom in shapes:
        low, high = sorted((right - left, bottom - top))
        if low > _SMALLEST and high < min(_LARGEST, _ROUND * low):
            small.append((left, top, right, bottom))
    return small


def list_items(part: Part, bullets: Sequence[Rect]) -> list[Part]:
    """A part, divided into the items of a list if it is one. Other parts stay as they are.

    `bullets` are the boxes of small shapes that are painted on the page.
    """
    if part.kind not in (BlockKind.LIST_ITEM, BlockKind.PARAGRAPH) or not part.texts:
        return [part]
    marked = [(text, *_marker_of(text, bullets)) for text in part.texts]
    if part.kind is BlockKind.PARAGRAPH and not _is_list(marked):
        return [part]
    items: list[Part] = []
    for text, marker, left in marked:
        if marker or not items or (part.kind is BlockKind.LIST_ITEM and _lacks_bullet(text, items[-1])):
            items.append(Part(BlockKind.LIST_ITEM, [text], text.box, part.region, marker, left))
        else:
            items[-1].texts.append(text)
    for item in items:
        item.box = union(text.box for text in item.texts)
    return items


def _lacks_bullet(text: Text, item: Part) -> bool:
    """Whether a line begins with a bullet that was read as a blank: its box begins where that of the item does."""
    return text.text[:1].isspace() and abs(text.box[0] - item.texts[0].box[0]) < _SAME_INDENT * text.size


def is_item(text: Text, bullets: Sequence[Rect]) -> bool:
    """Whether a line begins with a marker. `bullets` are the boxes of small shapes that are painted on the page."""
    return _marker_of(text, bullets)[0] is not None


def _marker_of(text: Text, bullets: Sequence[Rect]) -> tuple[str | None, float]:
    """The marker of a line and where it begins; None and the beginning of the line without one."""
    match = _BULLET.match(text.text) or _NUMBER.match(text.text)
    if match:
        return match[0], text.box[0]
    near = [box for box in bullets if _is_bullet_of(box, text)]
    return ("•", near[0][0]) if near else (None, text.box[0])


def _is_bullet_of(box: Rect, text: Text) -> bool:
    """Whether a small shape is the bullet of a line."""
    return 0 < text.box[0] - box[2] < _LEFT and text.box[1] < (box[1] + box[3]) / 2 < text.box[3]


def _is_list(marked: Sequence[tuple[Text, str | None, float]]) -> bool:
    """Whether the lines of a paragraph are items: the first has a bullet."""
    text, marker, _ = marked[0]
    return marker is not None and not _NUMBER.match(text.text)


def set_depths(parts: Sequence[Part]) -> None:
    """A first guess of the depths of list items, by how far they are indented among the items before them."""
    open_at: list[float] = []
    for part in parts:
        if part.kind is not BlockKind.LIST_ITEM:
            open_at = []
            continue
        near = _SAME_INDENT * part.size
        while open_at and part.marker_left < open_at[-1] - near:
            open_at.pop()
        if not open_at or part.marker_left > open_at[-1] + near:
            open_at.append(part.marker_left)
        part.depth = len(open_at)
