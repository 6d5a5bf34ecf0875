"""Tables: chooses the grid of a table, and puts the words of its lines into the cells."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ocrqueue.geometry import Rect, area, bounds, intersection
from ocrqueue.structure.grids import grid_slots
from ocrqueue.structure.models import Region, Slot
from ocrqueue.structure.texts import Piece, Text, rows_of

_RULED = 0.5  # share of the lines between rows that are ruled in a ruled table
_WIDE = 0.4  # share of the width of a table that a rule has at least
_EDGE = 3.0  # points: heights that differ less are one
_SAME = 0.5  # share of the union of two tables' areas that they share if they are the same


@dataclass(slots=True)
class Filled:
    """A cell with the words that are in it."""

    slot: Slot
    words: list[tuple[int, Piece]] = field(default_factory=list)  # with the number of the row of lines they stand in

    @property
    def text(self) -> str:
        """Its lines separated by newlines, from top to bottom. What stands side by side is one line."""
        lines: dict[int, list[str]] = {}
        for row, word in self.words:
            lines.setdefault(row, []).append(word.text)
        return "\n".join(" ".join(words) for words in lines.values())


def filled(slots: Sequence[Slot], texts: Sequence[Text]) -> list[Filled]:
    """The cells with their words, by row and column. A word outside of all cells is in the nearest."""
    cells = [Filled(slot) for slot in sorted(slots, key=lambda slot: (slot.row, slot.column))]
    for number, row in enumerate(rows_of(texts)):
        for text in row:
            for word in text.words:
                x = (word.box[0] + word.box[2]) / 2
                cell = min(cells, key=lambda cell: _distance(cell.slot.box, x, text.middle))
                cell.words.append((number, word))
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


def slots_of(
    region: Region, texts: Sequence[Text], tables: Sequence[Sequence[Slot]], painted: Sequence[Rect]
) -> Sequence[Slot]:
    """The cells of a table: those of `find_tables`, by its ruled lines, or those of the models' own grid.

    `find_tables` takes each line of text of an unruled table for a row, and cuts what stands over several columns. So a
    table of which few rows are ruled has the models' cells, unless they have more rows than `find_tables` sees, or that
    sees cells over several rows of the body. `painted` are the boxes of what is drawn on the page.
    """
    own = grid_slots(region, texts)
    found = table_for(region, tables)
    if not found or not own:
        return found or own
    is_ruled = _rules(region, painted) >= _RULED * (len(region.rows) + 2)
    has_tall = any(slot.row_span > 1 and not slot.is_header for slot in found)
    return found if is_ruled or has_tall or len(_rows(own)) > len(_rows(found)) else own


def _rows(slots: Sequence[Slot]) -> set[int]:
    """The rows of a table in which cells begin."""
    return {slot.row for slot in slots}


def _rules(region: Region, painted: Sequence[Rect]) -> int:
    """The number of heights at which something wide begins or ends in a table: rules, borders, shaded rows."""
    left, top, right, bottom = region.box
    wide = [
        box
        for box in painted
        if min(box[2], right) - max(box[0], left) > _WIDE * (right - left) and top - _EDGE < box[1] < bottom + _EDGE
    ]
    return len({round(y / _EDGE) for box in wide for y in (box[1], box[3])})


def table_for(region: Region, tables: Sequence[Sequence[Slot]]) -> Sequence[Slot] | None:
    """The table of `find_tables` that is at the place of a region; None if none is."""
    best = max(tables, key=lambda table: overlap(region.box, box_of(table)), default=None)
    return best if best is not None and overlap(region.box, box_of(best)) >= _SAME else None


def box_of(slots: Sequence[Slot]) -> Rect:
    """The box around the cells of a table."""
    return bounds([corner for slot in slots for corner in (slot.box[:2], slot.box[2:])])
