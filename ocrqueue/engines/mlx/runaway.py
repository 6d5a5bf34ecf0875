"""Seeing that a model writes the same thing for ever, while it does."""

from array import array

_LONGEST = 256  # tokens of a phrase, at most
_EVERY = 16  # tokens between two looks
_LEAST = 128  # tokens that must repeat, however short the phrase is
_TIMES = 8  # and so often the phrase


class RunawayGuard:
    """Follows the tokens of one page.

    A phrase of `n` tokens counts as a runaway once the last 128 + 8 n tokens are nothing but its repetition: more than
    the dotted lines and empty table cells of real pages, and long before any limit.
    """

    def __init__(self) -> None:
        self._tokens = array("q")

    def is_runaway(self, token: int) -> bool:
        """Take the next token; whether the page is now seen to repeat itself."""
        self._tokens.append(token)
        return len(self._tokens) % _EVERY == 0 and self.period() is not None

    def period(self) -> int | None:
        """The length of the phrase at the end that repeats itself; None where there is none."""
        tokens = self._tokens
        for n in range(1, _LONGEST + 1):
            span = _LEAST + _TIMES * n
            if span + n > len(tokens):
                return None
            if tokens[-1] == tokens[-1 - n] and tokens[-span:] == tokens[-span - n : -n]:
                return n
        return None
