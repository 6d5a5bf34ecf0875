"""Redis at its memory limit: one line a minute in the log instead of several a second from every process."""

import logging
import time

from celery.signals import after_setup_logger, after_task_publish

log = logging.getLogger(__name__)
REFUSAL = "command not allowed when used memory"  # in Redis's answer to every command that needs memory
INTERVAL = 60.0  # seconds between two lines
AFTERMATH = 5.0  # seconds for which Celery's lines about its connection, which it makes anew, belong to the refusal
CONSUMER = "celery.worker.consumer"  # the loggers of those lines


class MemoryLimitFilter(logging.Filter):
    """Replaces log records about Redis's memory limit by one line per `INTERVAL`."""

    def __init__(self) -> None:
        super().__init__()
        self._last = self._next = float("-inf")  # monotonic times: of the last record, and before which none is passed
        self._dropped = 0  # records since the last line
        self._is_full = False  # a line has said so, and none that it is over

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written to the log."""
        now = time.monotonic()
        if not _is_refusal(record):
            return not (record.name.startswith(CONSUMER) and now < self._last + AFTERMATH)
        self._last = now
        if now < self._next:
            self._dropped += 1
            return False
        record.levelno, record.levelname = logging.ERROR, "ERROR"
        record.msg = "Redis has reached its memory limit (maxmemory): raise it, or wait until the queue has drained"
        if self._dropped:
            record.msg += f" ({self._dropped} more errors since the last such line)"
        record.args = record.exc_info = record.exc_text = None
        self._next, self._dropped, self._is_full = now + INTERVAL, 0, True
        return True

    def over(self) -> None:
        """Redis has accepted a write: log so, once."""
        if self._is_full:
            self._is_full = False
            log.warning("Redis accepts writes again: it is below its memory limit")


_filter = MemoryLimitFilter()


def accepted() -> None:
    """To be called after a write to Redis that needs memory."""
    _filter.over()


def _is_refusal(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return REFUSAL in record.getMessage() or REFUSAL in str(error) or "OutOfMemoryError" in record.getMessage()


@after_setup_logger.connect
def install(logger: logging.Logger, **_: object) -> None:
    """Put the filter before every handler of this process, a worker's or beat's."""
    for handler in logger.handlers:
        handler.addFilter(_filter)


@after_task_publish.connect
def on_publish(**_: object) -> None:
    """Celery has published a message, which needs memory."""
    accepted()
