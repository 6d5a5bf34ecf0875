"""The progress of jobs on stderr: a bar on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ocrqueue.cli.report import progress_of, say
from ocrqueue.client.follow import Statuses
from ocrqueue.client.status import JobStatus
from ocrqueue.ledger.encoding import shown_line
from ocrqueue.states import JobState

EVERY = 3.0  # seconds between two lines about a job in the same state


class Progress(Protocol):
    """Shows the progress of jobs."""

    def update(self, statuses: Statuses) -> None:
        """Show these statuses."""
        ...

    def clear(self) -> None:
        """Remove the bar, so that other lines can be printed."""
        ...

    def close(self) -> None:
        """Stop showing progress; may be called twice."""
        ...


def progress(names: Mapping[str, str], is_quiet: bool) -> Progress:
    """A bar if stderr is a terminal, else lines, with these names of jobs by id; nothing if it `is_quiet`."""
    if is_quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines(names)


class Quiet:
    """Shows nothing."""

    def update(self, statuses: Statuses) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """One bar for all jobs that counts pages; its total grows as documents are opened."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(unit="page", file=sys.stderr, leave=False, dynamic_ncols=True, total=0)

    def update(self, statuses: Statuses) -> None:
        """Show these statuses."""
        self._bar.total = sum(status.pages or 0 for status in statuses.values())
        self._bar.update(max(0, sum(status.finished for status in statuses.values()) - self._bar.n))
        waiting = next((s.waiting_for for s in statuses.values() if s.waiting_for), None)
        still = sum(not s.has_ended for s in statuses.values())
        count = f"{still} of {len(statuses)} jobs open" if len(statuses) > 1 else ""
        self._bar.set_postfix_str(shown_line(waiting or count), refresh=True)

    def clear(self) -> None:
        """Remove the bar until the next update."""
        self._bar.clear()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


class Lines(Quiet):
    """Prints a line for a job when its state changes, and every few seconds while its pages are read."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._said: dict[str, tuple[tuple[str, str | None], str, float]] = {}

    def update(self, statuses: Statuses) -> None:
        """Print a line for each job whose status has changed."""
        for status in statuses.values():
            if status.state != JobState.FAILED:  # reported as an error
                self._print(status)

    def _print(self, status: JobStatus) -> None:
        mark, line, now = (status.state, status.waiting_for), progress_of(status), time.monotonic()
        before = self._said.get(status.id)
        if before and (before[1] == line or (before[0] == mark and now - before[2] < EVERY)):
            return
        self._said[status.id] = (mark, line, now)
        say(f"{self._names.get(status.id, status.name)}: {line}")


def now_and_then() -> Callable[[str], None]:
    """A function that prints a line, unless it printed the same one before, or any in the last seconds."""
    last: tuple[str, float] = ("", -EVERY)

    def tell(line: str) -> None:
        nonlocal last
        if line != last[0] and time.monotonic() - last[1] >= EVERY:
            last = (line, time.monotonic())
            say(line)

    return tell
