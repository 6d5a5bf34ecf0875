"""The order in which the parts of a page are read."""

from collections.abc import Sequence

from ocrqueue.structure.lists import set_depths
from ocrqueue.structure.parts import Part


def in_order(parts: Sequence[Part]) -> list[Part]:
    """The parts in reading order, list items with their depths."""
    ordered = sorted(parts, key=lambda part: (part.first, part.box[1]))
    set_depths(ordered)
    return ordered
