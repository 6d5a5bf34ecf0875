"""Detects that a model repeats the same tokens endlessly, while it generates them."""

from array import array

_LONGEST = 256  # tokens; the longest phrase that is detected
_EVERY = 16  # tokens between two checks
_LEAST = 128  # tokens that must be repetitions, however short the phrase is
_TIMES = 8  # repetitions that are required in addition


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
        return len(self._tokens) % _EVERY == 0 and self.period() is not None

    def period(self) -> int | None:
        """The length in tokens of the phrase that the page ends with repetitions of; None if it does not."""
        tokens = self._tokens
        for n in range(1, _LONGEST + 1):
            span = _LEAST + _TIMES * n
            if span + n > len(tokens):
                return None
            if tokens[-1] == tokens[-1 - n] and tokens[-span:] == tokens[-span - n : -n]:
                return n
        return None
