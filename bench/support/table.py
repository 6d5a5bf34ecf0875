"""Tables in Markdown, which can be copied into docs/benchmarks.md."""

from collections.abc import Sequence

Cell = str | int | float


def show(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table. Columns of numbers are aligned to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *texts]) for i in range(len(header))]
    right = [bool(rows) and not isinstance(rows[0][i], str) for i in range(len(header))]
    rule = [("-" * (width - 1) + ":") if r else "-" * width for width, r in zip(widths, right, strict=True)]
    print()
    for line in (list(header), rule, *texts):
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)]
        print(f"| {' | '.join(cells)} |", flush=True)


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
