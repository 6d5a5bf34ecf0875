"""How many pages of a job a claim takes: more than the engine reads at once, as long as they need no engine.

A page with a text layer takes some 15 ms. Its message, its claim, and opening its document take longer than that, so
such pages are claimed several at a time. Each child knows about its own claims only.
"""

MOST = 16  # pages
_WANTED = 0.5  # seconds that a claim of several such pages is to take
_JOBS = 64  # that a child works on in turns


class ClaimSizes:
    """The sizes of this child's next claims, by job."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}  # of jobs whose last claim needed no engine; the latest one is last

    def of(self, job: str, batch: int) -> int:
        """How many pages the next claim takes, for an engine that reads `batch` pages at once."""
        return max(batch, self._sizes.get(job, 1))

    def note(self, job: str, pages: int, seconds: float, *, needed_engine: bool) -> None:
        """Note that a claim of the job has read so many pages in so many seconds, with or without the engine."""
        self._sizes.pop(job, None)
        if needed_engine:
            return
        in_time = _WANTED * pages / max(seconds, 0.001)
        self._sizes[job] = min(MOST, 2 * pages, int(in_time))
        if len(self._sizes) > _JOBS:
            del self._sizes[next(iter(self._sizes))]
