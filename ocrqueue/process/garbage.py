"""Pauses Python's garbage collections."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collections inside, or in the decorated function. Reference counts free objects all the same.

    For code that makes many objects at once, all of which it needs: collections would look at them again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
