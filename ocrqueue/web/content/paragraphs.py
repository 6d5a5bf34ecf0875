"""The paragraphs of a stored page with the lines that they consist of, for APIs that want boxes of paragraphs."""

from collections.abc import Iterator, Mapping
from typing import Any

Lines = list[Mapping[str, Any]]  # lines of a page of the result


def paragraphs(page: Mapping[str, Any]) -> Iterator[tuple[str, Lines]]:
    """The paragraphs of a page: their text, and those of the page's lines that lie in them, in order.

    A line belongs to the paragraph in whose text it is found next; a line that is not found belongs to none.
    """
    left = list(page["lines"])
    for paragraph in page["text"].split("\n\n"):
        text = paragraph.strip("\n")
        if not text.strip():
            continue
        found: Lines = []
        position = 0
        while left:
            line = left[0]["text"].strip()
            place = text.find(line, position)
            if place < 0:
                break
            found.append(left.pop(0))
            position = place + len(line)
        yield text, found


def around(lines: Lines) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of the box around lines, in pixels; None if there is no line."""
    if not lines:
        return None
    xs = [x for line in lines for x, _ in line["box"]]
    ys = [y for line in lines for _, y in line["box"]]
    return min(xs), min(ys), max(xs), max(ys)
