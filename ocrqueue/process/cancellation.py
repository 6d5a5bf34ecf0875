"""Lets an engine find out, while it reads a page, that the page's job was cancelled."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_EVERY = 0.25  # seconds between two questions to Redis
_asked: ContextVar["Asked | None"] = ContextVar("asked", default=None)


class Asked:
    """Asks `is_cancelled` at most every `_EVERY` seconds."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled
        self._next = 0.0
        self._answer = False

    def __call__(self) -> bool:
        """The latest answer. True stays True."""
        if not self._answer and time.monotonic() >= self._next:
            self._answer = self._is_cancelled()
            self._next = time.monotonic() + _EVERY
        return self._answer


@contextmanager
def cancellable(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Inside this block, `is_cancelled()` of this module answers with the given function."""
    token = _asked.set(Asked(is_cancelled))
    try:
        yield
    finally:
        _asked.reset(token)


def is_cancelled() -> bool:
    """Whether the job of the page that is being read was cancelled. Cheap: an engine may ask after every token."""
    asked = _asked.get()
    return asked is not None and asked()
