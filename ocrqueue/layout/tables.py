"""Tables: rows whose cells are aligned in columns."""

from collections.abc import Sequence

from ocrqueue.layout.rows import Row

Table = list[list[str]]  # rows of cells; all rows have the same length
_ROWS = 3  # rows of a table, at least
_FILLED = 0.6  # share of the cells of a table that contain text, at least
_SHRINK = (
    0.25  # times its size: a cell is shortened at both ends before columns are searched, so that they do not touch
)


def table_of(rows: Sequence[Sequence[Row]]) -> Table | None:
    """Rows of cells as a table; None if the cells are not aligned in columns."""
    columns = _columns(rows)
    if len(rows) < _ROWS or len(columns) < 2:
        return None
    table = []
    for row in rows:
        texts = [""] * len(columns)
        for cell in row:
            middle = (cell[0].left + cell[-1].right) / 2
            at = next((i for i, (left, right) in enumerate(columns) if left <= middle <= right), None)
            if at is None or texts[at]:
                return None
            texts[at] = " ".join(piece.line.text for piece in cell)
        table.append(texts)
    filled = sum(bool(text) for texts in table for text in texts)
    return table if filled >= _FILLED * len(columns) * len(table) else None


def _columns(rows: Sequence[Sequence[Row]]) -> list[tuple[float, float]]:
    """Left and right edges of the columns that the cells fill, from left to right."""
    spans = []
    for row in rows:
        for cell in row:
            left, right = cell[0].left, cell[-1].right
            shrink = min(_SHRINK * cell[0].size, (right - left) / 2)
            spans.append((left + shrink, right - shrink))
    columns: list[tuple[float, float]] = []
    for left, right in sorted(spans):
        if columns and left <= columns[-1][1]:
            columns[-1] = columns[-1][0], max(right, columns[-1][1])
        else:
            columns.append((left, right))
    return columns
