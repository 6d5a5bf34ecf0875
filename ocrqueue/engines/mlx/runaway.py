"""Finds out, while a page is generated, that the model repeats itself endlessly, and where that begins.

There are two kinds: the same tokens again and again, and the same words around numbers that count or hardly change
(`1. 2. 3.`, dates, boxes that move down the page). The limits are above what real pages repeat, such as dotted lines,
empty table cells, numbered lists, tables of numbers and tables of contents.
"""

import re
from array import array
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_LONGEST = 256  # tokens; the longest phrase that is detected
_EVERY = 16  # tokens between two checks
_LEAST = 128  # tokens that must be repetitions, however short the phrase is
_TIMES = 8  # repetitions that are required in addition

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MOST_NUMBERS = 32  # numbers in the longest phrase with numbers that is detected
_NUMBERED_TIMES = 200  # repetitions of a phrase with one or two numbers; answer sheets have fewer
_ROW_NUMBERS = 3  # numbers in a phrase that is a row of a table, a date or a box
_ROW_TIMES = 120  # repetitions of a phrase with more numbers; a page has fewer rows
_REGULAR = 0.9  # share of the steps from one number to the next that must be alike; dates and columns begin anew
_JITTER = 2.0  # largest difference of alike steps between whole numbers: boxes move by nearly the same distance
_FRACTION_JITTER = 0.002  # the same between decimal numbers: boxes in shares of the page


@dataclass(frozen=True, slots=True)
class Loop:
    """A repetition that goes on to the end of a page. Places are indexes of tokens or of characters."""

    start: int  # where the phrase stands for the first time
    second: int  # where it stands for the second time


class RunawayGuard:
    """Checks the tokens of one page.

    A phrase of `n` tokens is a runaway if the last 128 + 8 n tokens are repetitions of it. Dotted lines and empty
    table cells of real pages are shorter, and the limit on tokens is far higher.
    """

    def __init__(self) -> None:
        self._tokens = array("q")

    def is_runaway(self, token: int) -> bool:
        """Add the next token. Returns whether the page repeats itself; checked at every 16th token."""
        self._tokens.append(token)
        return len(self._tokens) % _EVERY == 0 and self._period() is not None

    def loop(self) -> Loop | None:
        """The repetition with which the page ends, in tokens; None if there is none."""
        period = self._period()
        if period is None:
            return None
        start = len(self._tokens) - period
        while start > 0 and self._tokens[start - 1] == self._tokens[start - 1 + period]:
            start -= 1
        return Loop(start, start + period)

    def _period(self) -> int | None:
        """The length in tokens of the phrase that the page ends with repetitions of; None if it does not."""
        tokens = self._tokens
        for n in range(1, _LONGEST + 1):
            span = _LEAST + _TIMES * n
            if span + n > len(tokens):
                return None
            if tokens[-1] == tokens[-1 - n] and tokens[-span:] == tokens[-span - n : -n]:
                return n
        return None


def numbered_loop(text: str) -> Loop | None:
    """The repetition with changing numbers with which a text ends, in characters; None if there is none.

    The text between numbers must be the same 200 times (120 times with three numbers or more), and each number must
    change by nearly the same step every time. Numbers that follow no rule are the rows of a table, however many.
    """
    numbers = list(_NUMBER.finditer(text))
    between = [text[one.end() : other.start()] for one, other in pairwise(numbers)]
    for period in range(1, _MOST_NUMBERS + 1):
        first = len(between)  # the repetition begins at this number
        while first > period and between[first - 1] == between[first - 1 - period]:
            first -= 1
        first -= period
        if len(between) - first < (_NUMBERED_TIMES if period < _ROW_NUMBERS else _ROW_TIMES) * period:
            continue
        values = [number[0] for number in numbers[first : len(between)]]
        if all(_is_regular(values[slot::period]) for slot in range(period)):
            return Loop(numbers[first].start(), numbers[first + period].start())
    return None


def _is_regular(values: list[str]) -> bool:
    """Whether most numbers differ from the one before by nearly the same step."""
    jitter = _FRACTION_JITTER if any("." in value for value in values) else _JITTER
    steps = [float(b) - float(a) for a, b in pairwise(values)]
    usual = median(steps)
    return sum(abs(step - usual) <= jitter for step in steps) >= _REGULAR * len(steps)
