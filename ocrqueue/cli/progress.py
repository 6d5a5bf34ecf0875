"""How far the jobs are, on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Any, Protocol

from ocrqueue.cli.report import progress_of, say
from ocrqueue.cli.terminal import for_terminal
from ocrqueue.client.follow import Statuses
from ocrqueue.client.status import JobStatus
from ocrqueue.states import JobState

EVERY = 3.0  # seconds between two lines about a job whose state stays the same


class Progress(Protocol):
    """Shows how far jobs are."""

    def update(self, statuses: Statuses) -> None:
        """Show these."""
        ...

    def clear(self) -> None:
        """Make room for other lines."""
        ...

    def close(self) -> None:
        """Nothing more will be shown; may be called again."""
        ...


def progress() -> Progress:
    """What suits where stderr goes to."""
    return Bar() if sys.stderr.isatty() else Lines()


class Bar:
    """One bar for all jobs, in pages; its total grows as documents are opened."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(unit="page", file=sys.stderr, leave=False, dynamic_ncols=True, total=0)

    def update(self, statuses: Statuses) -> None:
        """Show these."""
        self._bar.total = sum(status.pages or 0 for status in statuses.values())
        self._bar.update(max(0, sum(status.finished for status in statuses.values()) - self._bar.n))
        waiting = next((s.waiting_for for s in statuses.values() if s.waiting_for), None)
        still = sum(not s.has_ended for s in statuses.values())
        count = f"{still} of {len(statuses)} jobs open" if len(statuses) > 1 else ""
        self._bar.set_postfix_str(for_terminal(waiting or count), refresh=True)

    def clear(self) -> None:
        """Take the bar away until the next update."""
        self._bar.clear()

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


class Lines:
    """A line a job when its state changes, and every few seconds while pages are read."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[tuple[str, str | None], str, float]] = {}

    def update(self, statuses: Statuses) -> None:
        """Print what is new."""
        for status in statuses.values():
            if status.state != JobState.FAILED:  # reported as an error
                self._print(status)

    def _print(self, status: JobStatus) -> None:
        mark, line, now = (status.state, status.waiting_for), progress_of(status), time.monotonic()
        before = self._said.get(status.id)
        if before and (before[1] == line or (before[0] == mark and now - before[2] < EVERY)):
            return
        self._said[status.id] = (mark, line, now)
        say(f"{status.name}: {line}")

    def clear(self) -> None:
        """Nothing is in the way."""

    def close(self) -> None:
        """Nothing is left to be done."""
