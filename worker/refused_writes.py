"""A Redis that refuses writes: one line a minute in the log instead of several a second from every process.

It does so at its memory limit, while it has too few replicas (min-replicas-to-write) or a full disk, and as a replica.
"""

import logging
import time
from collections.abc import Iterator, Mapping

from celery.signals import after_setup_logger, after_task_publish
from redis.exceptions import OutOfMemoryError

from ocrqueue.ledger.connection import WritesRefused

log = logging.getLogger(__name__)
# What the log says for each answer, by its code.
REFUSALS = {
    "OOM": "Redis has reached its memory limit (maxmemory): raise it, or wait until the queue has drained",
    "NOREPLICAS": "Redis has too few replicas for writes (min-replicas-to-write): "
    "start them, or wait until they are back",
    "MISCONF": "Redis cannot write to its disk (MISCONF): free space there, or look into its log",
}
REPLICA = "this Redis is a replica, which takes no writes: wait until REDIS_URL leads to the primary"
INTERVAL = 60.0  # seconds between two lines
AFTERMATH = 5.0  # seconds for which Celery's lines about its connection, which it makes anew, belong to the refusal
CONSUMER = "celery.worker.consumer"  # the loggers of those lines


class RefusedWritesFilter(logging.Filter):
    """Replaces log records about refused writes by one line per `INTERVAL` and kind of refusal."""

    def __init__(self) -> None:
        super().__init__()
        self._last = float("-inf")  # monotonic time of the last record
        self._next: dict[str, float] = {}  # monotonic time before which a line is not written again
        self._dropped = 0  # records since the last line
        self._refuses = False  # a line has said so, and none that it is over

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written to the log."""
        now = time.monotonic()
        refusal = _refusal(record)
        if refusal is None:
            return not (record.name.startswith(CONSUMER) and now < self._last + AFTERMATH)
        self._last = now
        if now < self._next.get(refusal, now):
            self._dropped += 1
            return False
        record.levelno, record.levelname = logging.ERROR, "ERROR"
        record.msg = refusal
        if self._dropped:
            record.msg += f" ({self._dropped} more errors since the last such line)"
        record.args = record.exc_info = record.exc_text = None
        self._next[refusal], self._dropped, self._refuses = now + INTERVAL, 0, True
        return True

    def over(self) -> None:
        """Redis has accepted a write: log so, once."""
        if self._refuses:
            self._refuses = False
            log.warning("Redis accepts writes again")


_filter = RefusedWritesFilter()


def accepted() -> None:
    """To be called after a write to Redis that needs memory."""
    _filter.over()


def _refusal(record: logging.LogRecord) -> str | None:
    """The line for a record about a refused write; None for other records. Texts say nothing: any user may write one.

    An error is found in the record's arguments, or as the one whose traceback is logged, or as the cause of such a one.
    """
    given = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    errors = [*given, record.exc_info[1] if record.exc_info else None]
    codes = (code for error in errors if isinstance(error, BaseException) for code in _codes(error))
    return next((REFUSALS.get(code, REPLICA) for code in codes), None)


def _codes(error: BaseException | None) -> Iterator[str]:
    """The answers of a server that takes no writes which led to an error, by their codes."""
    for _ in range(10):
        if isinstance(error, OutOfMemoryError):
            yield "OOM"
        elif isinstance(error, WritesRefused):
            yield error.code
        elif error is None:
            break
        error = error.__cause__ or error.__context__


@after_setup_logger.connect
def install(logger: logging.Logger, **_: object) -> None:
    """Put the filter before every handler of this process, a worker's or beat's."""
    for handler in logger.handlers:
        handler.addFilter(_filter)


@after_task_publish.connect
def on_publish(**_: object) -> None:
    """Celery has published a message, which needs memory."""
    accepted()
