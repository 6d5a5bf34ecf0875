"""A time limit that holds inside C code too, where no exception can be raised: it ends the process.

At the limit the Python stack goes to the log; half a second later the kernel's own timer ends the process with SIGALRM,
which whoever watches can tell from every other end. No handler runs and no lock is needed: nothing can hold it up.
"""

import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SIGNAL = "SIGALRM"  # how the parent's report of the child's end names it


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer than `seconds`. Not to be nested; main thread only."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_REAL, seconds + 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
