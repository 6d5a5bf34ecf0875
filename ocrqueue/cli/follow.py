"""Following jobs on the command line: until each has ended, time runs out, or Ctrl-C."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import click

from ocrqueue.cli.progress import progress
from ocrqueue.cli.report import INTERRUPTED, report, say, worst
from ocrqueue.client import Client, JobStatus
from ocrqueue.client.follow import Statuses
from ocrqueue.errors import JobTimeout, OcrError


class _Seconds(click.FloatRange):
    """A number of seconds; `nan` is in every range, and no time."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Raises click.BadParameter."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0)


def follow_jobs(
    client: Client, jobs: Sequence[str], timeout: float | None, ended: Callable[[JobStatus], int]
) -> tuple[int, Statuses]:
    """Show how far the jobs are, and call `ended` for each that has; returns the exit code and the last statuses."""
    codes: dict[str, int] = {}
    statuses: Statuses = {}
    shown = progress()
    try:
        for statuses in client.follow(jobs, timeout):
            shown.update(statuses)
            new = [s for s in statuses.values() if s.has_ended and s.id not in codes]
            if new:
                shown.clear()
            for status in new:
                codes[status.id] = ended(status)
    except JobTimeout:
        shown.close()
        for job in (job for job in jobs if job not in codes):
            codes[job] = report(
                JobTimeout(f"time ran out; job {job} goes on, see `submit.py wait {job}`"), statuses[job].name
            )
    except OcrError as e:
        shown.close()
        codes[""] = report(e)
    except KeyboardInterrupt:
        shown.close()
        interrupted([job for job in jobs if job not in codes])
    finally:
        shown.close()
    return worst(codes.values()), statuses


def interrupted(jobs: Sequence[str]) -> None:
    """Ctrl-C: name the jobs that go on, and end the command."""
    for job in jobs:
        say(f"interrupted: the job goes on: {job} (`submit.py wait {job}`, or `submit.py cancel {job}`)")
    raise click.exceptions.Exit(INTERRUPTED)
