"""Keeps what any client can cause, such as invalid requests, from filling the log."""

import logging
import time

LOGGERS = ("asyncio", "uvicorn.error")  # that write lines about connections
_MOST = 10  # lines of one kind in each period
_PERIOD = 60.0  # seconds


class SparseLog(logging.Filter):
    """Passes the first ten records with the same text in each minute; the next one says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[object, tuple[float, int]] = {}  # text: end of its period, records in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written to the log."""
        now, kind = time.monotonic(), str(record.msg)
        until, count = self._kinds.get(kind, (0.0, 0))
        if now < until:
            self._kinds[kind] = until, count + 1
            return count < _MOST
        self._kinds = {other: kept for other, kept in self._kinds.items() if now < kept[0]}
        self._kinds[kind] = now + _PERIOD, 1
        if count > _MOST:
            record.msg = f"{record.msg} ({count - _MOST} more such lines were left out)"
        return True


def install() -> None:
    """Filter what is written about connections."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(SparseLog())
