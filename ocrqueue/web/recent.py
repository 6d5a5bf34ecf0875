"""Values that many requests ask for at the same time, and that may be a second old."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar, cast

T = TypeVar("T")
SECONDS = 1.0  # for which a value is kept


@dataclass(slots=True)
class _Kept:
    """A value, and when it was found out."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is found out
    until: float = 0.0  # on the clock of time.monotonic
    value: object = None


class Recent:
    """Finds each value out at most once a second in this process. For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept] = {}

    def get(self, name: Hashable, find: Callable[[], T]) -> T:
        """The value of this name: that of `find()`, now or within the last second. Raises what `find` raises."""
        with self._lock:
            now = time.monotonic()
            for old in [one for one, kept in self._kept.items() if kept.until < now and not kept.lock.locked()]:
                if old != name:
                    del self._kept[old]
            kept = self._kept.setdefault(name, _Kept())
        with kept.lock:
            if kept.until < time.monotonic():
                kept.value = find()
                kept.until = time.monotonic() + SECONDS
            return cast("T", kept.value)
