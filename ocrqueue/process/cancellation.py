"""Telling an engine, while it reads, that nobody wants the page any more."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_EVERY = 0.25  # seconds between two questions
_asked: ContextVar["Asked | None"] = ContextVar("asked", default=None)


class Asked:
    """Asks whether a job was cancelled, but not too often."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled
        self._next = 0.0
        self._answer = False

    def __call__(self) -> bool:
        """Whether it was. Once it was, it stays so."""
        if not self._answer and time.monotonic() >= self._next:
            self._answer = self._is_cancelled()
            self._next = time.monotonic() + _EVERY
        return self._answer


@contextmanager
def cancellable(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Inside this block, `is_cancelled()` of this module answers for the job that is being read."""
    token = _asked.set(Asked(is_cancelled))
    try:
        yield
    finally:
        _asked.reset(token)


def is_cancelled() -> bool:
    """Whether the page that is being read is wanted no more. Cheap: an engine may ask after every token."""
    asked = _asked.get()
    return asked is not None and asked()
