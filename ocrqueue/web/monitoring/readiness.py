"""Whether a page that is submitted now would be read."""

import time
from threading import Lock

from ocrqueue import names
from ocrqueue.client import Client
from ocrqueue.errors import QueueUnavailable, StorageError
from ocrqueue.ledger.connection import check_writes, connect_briefly, reaching
from ocrqueue.ledger.workers import live, serving
from ocrqueue.web.keys import Keys

_SECONDS = 1.0  # for which an answer is used again


class Readiness:
    """Looks at Redis, the spool, the workers and the API keys. Safe for threads.

    It looks at most once a second, however many callers ask.
    """

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._redis = connect_briefly(client.settings)
        self._looking = Lock()
        self._found: tuple[str, ...] = ("the first check has not ended",)
        self._spool_works = False
        self._until = 0.0  # monotonic time at which the answer is too old

    def missing(self) -> tuple[str, ...]:
        """What is missing, in words without addresses; empty if the queue is ready.

        While another thread looks, the answer is the last one: a Redis that hangs must not hold every caller.
        """
        if time.monotonic() >= self._until and self._looking.acquire(blocking=not self._until):
            try:
                if time.monotonic() >= self._until:
                    self._found = tuple(self._look())
                    self._until = time.monotonic() + _SECONDS
            finally:
                self._looking.release()
        return self._found

    def spool_works(self) -> bool:
        """Whether the spool could be read and written when the queue was last looked at."""
        self.missing()
        return self._spool_works

    def _look(self) -> list[str]:
        self._spool_works = self._check_spool()
        found = [] if self._keys.are_readable else ["the file of API keys cannot be read"]
        try:
            with reaching(self._client.settings):
                workers = live(self._redis)
        except QueueUnavailable:
            return [*found, "Redis does not answer"]
        try:
            check_writes(self._redis, self._client.settings)
        except QueueUnavailable:  # workers cannot show either that they run
            return [*found, "Redis takes no writes"]
        if not serving(workers, names.DOCUMENTS_QUEUE):
            found.append("no worker opens documents")
        if not any(worker.engines for worker in workers):
            found.append("no worker reads pages")
        if not self._spool_works:
            found.append("the spool cannot be written")
        return found

    def _check_spool(self) -> bool:
        try:
            self._client.spool.check()
        except StorageError:
            return False
        return True
