"""A handle on one job, over HTTP."""

import codecs
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from ocrqueue import formats
from ocrqueue.client.handle import Follower, JobHandle
from ocrqueue.client.remote.api import Api, NotReady, OutOfTime, until
from ocrqueue.client.status import JobStatus
from ocrqueue.errors import JobTimeout, QueueUnavailable
from ocrqueue.ledger import PageRecord
from ocrqueue.options import parse_ranges
from ocrqueue.states import STRUCTURED_FORMATS, JobState, PageState
from ocrqueue.storage import results
from ocrqueue.storage.results import PageNote

_IN_MEMORY = 8 << 20  # bytes of a result; a longer one is kept in a temporary file
_AT_ONCE = 1000  # pages whose states are asked for in one request
_STRUCTURE_WAIT = 3  # seconds that a request waits for the structure: the progress is shown between two
_PAUSE = 1.0  # seconds until a format that is being made is asked for again
_FINISHED = (PageState.OK, PageState.FAILED, PageState.CANCELLED)


@contextmanager
def _within(end: float) -> Iterator[None]:
    """As `until`. Raises JobTimeout where the API key has no requests left until then."""
    with until(end):
        try:
            yield
        except OutOfTime as e:
            raise JobTimeout(e.message) from e


class RemoteJob(JobHandle):
    """A handle on a job, over HTTP."""

    def __init__(self, job: str, follower: Follower, api: Api) -> None:
        super().__init__(job, follower)
        self._api = api
        self._path = f"jobs/{job}"

    def write(
        self,
        format: str,
        stream: IO[Any],
        timeout: float | None = None,
        structure: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> JobStatus:
        """See `JobHandle.write`. The result is fetched whole before the stream gets a part of it."""
        is_binary = formats.find(format).make is not None
        end = time.monotonic() + (math.inf if timeout is None else timeout)
        status = self.wait(timeout)
        if status.state == JobState.FAILED:
            raise self.failure()
        with SpooledTemporaryFile(_IN_MEMORY) as file:
            while (missing := self._fetch(format, structure, cast("IO[bytes]", file), end)) is not None:
                if progress:
                    progress(missing)
                if time.monotonic() >= end:
                    raise JobTimeout(f"{format} of job {self.id} is not ready; fetch it later with `submit.py result`")
                time.sleep(_PAUSE)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while chunk := file.read(1 << 20):
                stream.write(chunk if is_binary else decoder.decode(chunk))
        return status

    def _fetch(self, format: str, structure: bool, file: IO[bytes], end: float) -> str | None:
        """Write the result to a file. If workers still make it, nothing is written, and what they do is returned.

        Raises JobTimeout at `end`, of `time.monotonic`, if the API key has no requests left until then.
        """
        asked = {"structure": "true"} if structure else {}
        if structure or format in STRUCTURED_FORMATS:
            asked["wait"] = str(_STRUCTURE_WAIT)
        try:
            with _within(end):
                self._api.download(f"{self._path}/result", file, format=format, **asked)
        except NotReady as e:
            return e.message
        return None

    def pages(self, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """See `JobHandle.pages`."""
        end = time.monotonic() + (math.inf if timeout is None else timeout)
        seen: set[int] = set()
        for statuses in self._follower.follow([self.id], timeout):
            if statuses[self.id].finished <= len(seen):
                continue
            with _within(end):
                found = self._api.get(self._path, pages="true").get("page_states", {})
            ended = {n for state in _FINISHED if state in found for n in _numbers(found[state])}
            for number in sorted(ended - seen):
                seen.add(number)
                with _within(end):
                    page = self._api.get(f"{self._path}/pages/{number}")
                yield page
        if not seen:
            raise self.failure()

    def page_states(self) -> list[PageRecord]:
        """See `JobHandle.page_states`."""
        return list(self._states(None))

    def failed_pages(self) -> list[PageRecord]:
        """See `JobHandle.failed_pages`."""
        return list(self._states(PageState.FAILED))

    def _states(self, state: PageState | None) -> Iterator[PageRecord]:
        for item in self._api.items(f"{self._path}/pages", limit=_AT_ONCE, state=state):
            error = item["error"] or {}
            state = PageState(item["state"])
            quality = item.get("quality")  # older versions send none
            yield PageRecord(item["page"], state, item["attempts"], error.get("code"), error.get("message"), quality)

    def warnings(self) -> list[PageNote]:
        """See `JobHandle.warnings`."""
        status = self.status()
        if not status.has_ended or not status.ok:
            return []
        with SpooledTemporaryFile(_IN_MEMORY) as file:
            self._api.download(f"{self._path}/result", cast("IO[bytes]", file), format="json")
            return results.read_warnings(TextIOWrapper(cast("IO[bytes]", file), encoding="utf-8"))

    def cancel(self) -> bool:
        """See `JobHandle.cancel`."""
        return bool(self._api.post(f"{self._path}/cancel")["stopped"])

    def retry(self) -> None:
        """See `JobHandle.retry`. If the answer was lost, the job's round says whether the retry began."""
        before = self.status().round
        try:
            self._api.post_once(f"{self._path}/retry")
        except QueueUnavailable:
            if self.status().round == before:
                self._api.post_once(f"{self._path}/retry")

    def drop(self) -> None:
        """See `JobHandle.drop`."""
        self._api.delete(self._path)


def _numbers(ranges: str) -> Iterator[int]:
    for first, last in parse_ranges(ranges):
        yield from range(first, (last or first) + 1)
