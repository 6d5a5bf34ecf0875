"""Tables: puts the words of a table's lines into the cells of its grid."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ocrqueue.geometry import Rect, area, bounds, intersection
from ocrqueue.structure.models import Region, Slot
from ocrqueue.structure.texts import Piece, Text

_SAME = 0.5  # share of the union of two tables' areas that they share if they are the same


@dataclass(slots=True)
class Filled:
    """A cell with the words that are in it."""

    slot: Slot
    words: list[tuple[Text, Piece]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its lines separated by newlines, from top to bottom."""
        lines: dict[int, list[str]] = {}
        for text, word in self.words:
            lines.setdefault(text.index, []).append(word.text)
        return "\n".join(" ".join(words) for words in lines.values())


def grid_of(region: Region) -> list[Slot]:
    """The cells between the lines of a region's grid; the first row is the header. Empty without a grid."""
    if not region.rows and not region.columns:
        return []
    left, top, right, bottom = region.box
    rows = [top, *region.rows, bottom]
    columns = [left, *region.columns, right]
    return [
        Slot(i, j, 1, 1, (columns[j], rows[i], columns[j + 1], rows[i + 1]), i == 0)
        for i in range(len(rows) - 1)
        for j in range(len(columns) - 1)
    ]


def filled(slots: Sequence[Slot], texts: Sequence[Text]) -> list[Filled]:
    """The cells with their words, by row and column. A word outside of all cells is in the nearest."""
    cells = [Filled(slot) for slot in sorted(slots, key=lambda slot: (slot.row, slot.column))]
    for text in sorted(texts, key=lambda text: (text.middle, text.box[0])):
        for word in text.words:
            cell = min(cells, key=lambda cell: _distance(cell.slot.box, (word.box[0] + word.box[2]) / 2, text.middle))
            cell.words.append((text, word))
    return cells


def _distance(box: Rect, x: float, y: float) -> float:
    """The distance of a point from a box, squared; 0 inside."""
    dx = max(box[0] - x, 0.0, x - box[2])
    dy = max(box[1] - y, 0.0, y - box[3])
    return dx * dx + dy * dy


def overlap(one: Rect, other: Rect) -> float:
    """The shared area of two boxes as a share of the area of both together."""
    shared = area(intersection(one, other))
    return shared / max(area(one) + area(other) - shared, 1e-6)


def table_for(region: Region, tables: Sequence[Sequence[Slot]]) -> Sequence[Slot] | None:
    """The table of `find_tables` that is at the place of a region; None if none is."""
    best = max(tables, key=lambda table: overlap(region.box, box_of(table)), default=None)
    return best if best is not None and overlap(region.box, box_of(best)) >= _SAME else None


def box_of(slots: Sequence[Slot]) -> Rect:
    """The box around the cells of a table."""
    return bounds([corner for slot in slots for corner in (slot.box[:2], slot.box[2:])])
