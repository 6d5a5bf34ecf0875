"""Retries of storage operations: a network share or an object store may fail for some seconds."""

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt, wait_exponential

from ocrqueue.errors import StorageError

log = logging.getLogger(__name__)
T = TypeVar("T")
_three_tries = Retrying(
    retry=retry_if_exception_type(StorageError),
    stop=stop_after_attempt(3),
    wait=wait_exponential(0.5, exp_base=4),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)


def three_tries(action: Callable[[], T]) -> T:
    """Return what `action` returns; call it again after a StorageError, three times in all.

    Waits 0.5 s before the second call and 2 s before the third. Raises the StorageError of the third call.
    """
    return _three_tries(action)
