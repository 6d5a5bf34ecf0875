"""A time limit that also holds inside C code, where no exception can be raised: it ends the process.

At the limit the Python stack is written to the log. Half a second later the kernel's timer ends the process with
SIGALRM, so the parent process can tell a timeout from any other end. No handler runs and no lock is taken, so nothing
can delay it.
"""

import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SIGNAL = "SIGALRM"  # how Celery's report of the child's end names it


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer than `seconds`. Not nestable; main thread only."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_REAL, seconds + 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
