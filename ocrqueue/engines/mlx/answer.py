"""What a model has written for one page so far, and when it must be stopped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ocrqueue.engines.mlx.runaway import RunawayGuard, numbered_loop

_STOPS_EVERY = 8  # tokens between two searches for a stop string
_STOPS_WITHIN = 32  # last tokens in which it is searched: it has fewer than 24
_NUMBERS_EVERY = 256  # tokens between two searches for a repetition with changing numbers


class Stop(StrEnum):
    """Why generating a page was stopped before the model ended it."""

    RUNAWAY = "runaway"  # the model repeats itself
    LENGTH = "length"  # the limit on tokens was reached
    TIMEOUT = "timeout"  # the deadline has passed
    CANCELLED = "cancelled"  # the job was cancelled


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits at which generating is stopped although the model has not ended."""

    max_tokens: int  # per page
    deadline: float  # in seconds of time.monotonic(); of all tries of all pages
    is_cancelled: Callable[[], bool]  # asked before the first and after every token
    stops: tuple[str, ...] = ()  # texts that end a page

    def interrupted(self) -> Stop | None:
        """Whether time or the user stops all pages now."""
        if time.monotonic() > self.deadline:
            return Stop.TIMEOUT
        return Stop.CANCELLED if self.is_cancelled() else None


@dataclass(slots=True)
class Answer:
    """What the model has generated for one page."""

    decode: Callable[[Sequence[int]], str]  # the text of tokens
    bounds: Bounds
    tokens: list[int] = field(default_factory=list)  # ids, without the one that ends the page
    stopped: Stop | None = None  # why generating was stopped; None: the model or a stop string ended the page
    _guard: RunawayGuard = field(default_factory=RunawayGuard)  # has seen the same tokens

    def take(self, token: int) -> bool:
        """Add a token. Returns whether the page must be stopped, or a stop string has ended it."""
        self.tokens.append(token)
        count = len(self.tokens)
        is_full = count >= self.bounds.max_tokens
        if self._guard.is_runaway(token) or ((is_full or count % _NUMBERS_EVERY == 0) and self._repeats()):
            self.stopped = Stop.RUNAWAY
        elif self.bounds.stops and count % _STOPS_EVERY == 0 and self._has_stop():
            return True
        elif is_full:
            self.stopped = Stop.LENGTH
        return self.stopped is not None

    def text(self) -> str:
        """The text up to a stop string, and with a phrase that is repeated endlessly only once.

        Empty if the answer is nothing but repetition.
        """
        if self.stopped == Stop.RUNAWAY and (loop := self._guard.loop()):
            before = self.decode(self.tokens[: loop.start])
            text = self.decode(self.tokens[: loop.second]) if before.strip() else ""
        else:
            text = self.decode(self.tokens)
            if self.stopped == Stop.RUNAWAY and (loop := numbered_loop(text)):
                text = text[: loop.second] if text[: loop.start].strip() else ""
        return text[: min((place for stop in self.bounds.stops if (place := text.find(stop)) >= 0), default=len(text))]

    def _repeats(self) -> bool:
        return self._guard.loop() is not None or numbered_loop(self.decode(self.tokens)) is not None

    def _has_stop(self) -> bool:
        text = self.decode(self.tokens[-_STOPS_WITHIN:])
        return any(stop in text for stop in self.bounds.stops)
