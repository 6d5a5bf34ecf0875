"""The text between the marks of a notation."""

import re
from collections.abc import Iterator


def blocks(mark: "re.Pattern[str]", answer: str) -> Iterator[tuple[str | None, str | None, str]]:
    """The text before the first mark, and after each mark up to the next: (kind, place, text)."""
    marks = list(mark.finditer(answer))
    yield None, None, answer[: marks[0].start() if marks else len(answer)]
    for here, following in zip(marks, [*marks[1:], None][: len(marks)], strict=True):
        yield here[1], here[2], answer[here.end() : following.start() if following else len(answer)]


def before_marks(mark: "str | re.Pattern[str]", answer: str) -> Iterator[tuple[str, "re.Match[str]"]]:
    """Each mark with the text between it and the mark before: (text, mark)."""
    end = 0
    for found in re.finditer(mark, answer):
        yield answer[end : found.start()], found
        end = found.end()


def after_marks(mark: "re.Pattern[str]", answer: str) -> str:
    """The text after the last mark; the whole answer if there is none."""
    return answer[max((found.end() for found in mark.finditer(answer)), default=0) :]
