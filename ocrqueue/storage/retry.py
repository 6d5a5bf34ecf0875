"""Retries of storage operations: a network share or an object store may fail for seconds, or be away for longer."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_attempt, wait_exponential

from ocrqueue.errors import StorageAway, StorageError
from ocrqueue.process.watchdog import off_the_clock, patience

log = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE = 600.0  # seconds for which a page waits for a storage that is away, outside of its time limit
_LONGEST_PAUSE = 10.0  # seconds between two tries while the storage is away
_three_tries = Retrying(
    retry=retry_if_exception(lambda error: isinstance(error, StorageError) and not isinstance(error, StorageAway)),
    stop=stop_after_attempt(3),
    wait=wait_exponential(0.5, exp_base=4),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)


def three_tries(action: Callable[[], T]) -> T:
    """Return what `action` returns; call it again after a StorageError, three times in all.

    Waits 0.5 s before the second call and 2 s before the third. Raises the StorageError of the third call, and
    StorageAway at once: whoever raised that has waited.
    """
    return _three_tries(action)


def while_away(action: Callable[[], T]) -> T:
    """Return what `action`, an operation of the storage, returns; its time does not count in a block of `time_limit`.

    If it raises StorageAway in such a block, it is called again as long as the block's patience lasts for a call that
    takes as long as the last one: a storage that is silent keeps a call waiting. Other callers get StorageAway at once.
    """
    with off_the_clock():
        pause, is_away = 0.5, False
        while True:
            answered, began = True, time.monotonic()
            try:
                return action()
            except StorageAway as e:
                answered = False
                if patience() <= pause + time.monotonic() - began:
                    raise
                if not is_away:
                    log.warning("waiting for the storage: %s", e.message)
                is_away = True
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            finally:
                if is_away and answered:  # also with an error, such as that there is no such object
                    log.warning("the storage answers again")
