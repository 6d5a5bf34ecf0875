"""A time limit that also holds inside C code, where no exception can be raised: it ends the process.

At the limit the Python stack is written to the log. Half a second later the kernel's timer ends the process with
SIGALRM, so the parent process can tell a timeout from any other end. No handler runs and no lock is taken, so nothing
can delay it. Waiting for storage is taken out of the limit: see `off_the_clock`.
"""

import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SIGNAL = "SIGALRM"  # how Celery's report of the child's end names it
_AFTER = 0.5  # seconds from the Python stack to the end of the process
_runs = False  # whether the clock of a block runs
_patience = 0.0  # seconds that the block may still spend off the clock
_stopped = 0.0  # monotonic time since when its clock stands still; 0: it does not


@contextmanager
def time_limit(seconds: float, patience: float = 0.0) -> Iterator[None]:
    """End this process if the block takes longer than `seconds`. Not nestable; main thread only.

    The block may wait `patience` seconds for something that is away: see `patience()`.
    """
    global _runs, _patience
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _runs, _patience = True, patience
    _start(seconds + _AFTER)
    try:
        yield
    finally:
        _stop()
        _runs, _patience = False, 0.0


@contextmanager
def off_the_clock() -> Iterator[None]:
    """Stop the clock of the `time_limit` block that this is in, if any, until this block ends. It may be nested.

    The block must end by itself: only the parent process would end it. Its time is taken from the block's patience.
    """
    global _runs, _patience, _stopped
    if not _runs or threading.current_thread() is not threading.main_thread():
        yield
        return
    left = _stop()
    _runs, _stopped = False, time.monotonic()
    try:
        yield
    finally:
        _patience = patience()
        _runs, _stopped = True, 0.0
        _start(max(left, _AFTER + 0.01))


def patience() -> float:
    """How many seconds this thread may still wait for something that is away; 0 outside a `time_limit` block."""
    if threading.current_thread() is not threading.main_thread():
        return 0.0
    return max(0.0, _patience - (time.monotonic() - _stopped if _stopped else 0.0))


def _start(seconds: float) -> None:
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds - _AFTER, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _stop() -> float:
    """Stop the clock. Returns the seconds that were left."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()
    return left
