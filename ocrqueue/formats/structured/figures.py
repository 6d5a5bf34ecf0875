"""Which caption belongs to which table or picture of the flow."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ocrqueue.blocks import BlockKind
from ocrqueue.formats.structured.flow import Item, Part

_FLOATS = (BlockKind.TABLE, BlockKind.PICTURE)
_TABLE = re.compile(r"(?i)tab(le|elle|leau|la|ela|ella|\.)")
_PICTURE = re.compile(r"(?i)fig(ure|ura|\.)|abb(ildung|\.)|photo|foto|image|bild|ilustraci|illustrat")


@dataclass(frozen=True, slots=True)
class Figure:
    """A table or picture with its caption."""

    caption: Part
    part: Part
    is_above: bool  # whether the caption stands above it


def with_captions(items: Iterable[Item]) -> Iterator[Item | Figure]:
    """The items; a caption and the table or picture beside it are one. At most three items are waited for."""
    held: list[Item] = []
    for item in items:
        held.append(item)
        while (made := _first(held)) is not None:
            yield made
    while held:
        yield _first(held, is_end=True) or held.pop(0)


def _first(held: list[Item], is_end: bool = False) -> Item | Figure | None:
    """Take the first item, or figure, off the list; None as long as the items that follow may decide about it."""
    if not held:
        return None
    first, second, third = [*held[:3], None, None, None][:3]
    if not _is(first, BlockKind.CAPTION) and not _is(first, *_FLOATS):
        return held.pop(0)
    if second is None and not is_end:
        return None
    if _is(first, BlockKind.CAPTION) and _is(second, *_FLOATS):
        return _taken(held, caption=0, part=1)
    if _is(first, *_FLOATS) and _is(second, BlockKind.CAPTION):
        if third is None and not is_end:
            return None
        if not _is(third, *_FLOATS) or _fits(second, first) >= _fits(second, third):
            return _taken(held, caption=1, part=0)
    return held.pop(0)


def _taken(held: list[Item], caption: int, part: int) -> Figure:
    one, other = held[caption], held[part]
    del held[:2]
    assert isinstance(one, Part)
    assert isinstance(other, Part)
    return Figure(one, other, caption < part)


def _is(item: Item | None, *kinds: BlockKind) -> bool:
    return isinstance(item, Part) and item.kind in kinds


def _fits(caption: Item | None, part: Item | None) -> float:
    """How well the first word of a caption names a table or a picture: 1, 0 or -1. Captions of tables stand above."""
    assert isinstance(caption, Part)
    assert isinstance(part, Part)
    is_table = part.kind == BlockKind.TABLE
    for pattern, names_table in ((_TABLE, True), (_PICTURE, False)):
        if pattern.match(caption.text):
            return 1 if is_table == names_table else -1
    return 0
