"""Starts processes with the signal handlers of a terminal or of a shell's background job."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def default_sigint() -> Iterator[None]:
    """Processes started in this block end at SIGINT, even if this process inherited it as ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def in_background() -> Iterator[None]:
    """Processes started in this block ignore SIGINT and SIGHUP, as after `nohup command &` in a shell script."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
