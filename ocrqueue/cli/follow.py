"""Waiting for jobs on the command line: until each has ended, the timeout expires, or Ctrl-C."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ocrqueue.cli.progress import progress
from ocrqueue.cli.report import INTERRUPTED, report, say, worst
from ocrqueue.client import AnyClient, JobStatus
from ocrqueue.client.follow import Statuses
from ocrqueue.errors import JobTimeout, OcrError


class _Seconds(click.FloatRange):
    """A number of seconds. `nan` is refused, which click's range check accepts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert a value to seconds. Raises click.BadParameter."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0)
quiet = click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Print no progress, only warnings and errors.")


def follow_jobs(
    client: AnyClient,
    jobs: Mapping[str, str],  # ids, with the names that are shown
    timeout: float | None,
    ended: Callable[[JobStatus], int],
    denied: Callable[[str], int] | None = None,  # for each job that the API key may not read; None: one error for all
    is_quiet: bool = False,
) -> tuple[int, Statuses]:
    """Show the progress of jobs, unless it `is_quiet`, and call `ended` for each job that has ended.

    Returns the worst of the exit codes that `ended` and `denied` returned, and the last statuses.
    """
    codes: dict[str, int] = {}
    statuses: Statuses = {}
    shown = progress(jobs, is_quiet)
    try:
        for statuses in client.follow(list(jobs), timeout):
            shown.update(statuses)
            new = [s for s in statuses.values() if s.has_ended and s.id not in codes]
            if new:
                shown.clear()
            for status in new:
                codes[status.id] = ended(status)
    except JobTimeout:
        shown.close()
        for job in (job for job in jobs if job not in codes):
            error = JobTimeout(f"the timeout expired; job {job} continues, see `submit.py wait {job}`")
            codes[job] = report(error, jobs[job])
    except OcrError as e:
        shown.close()
        if denied and e.code == "key_rights":
            codes |= {job: denied(job) for job in jobs if job not in codes}
        else:
            codes[""] = report(e)
    except KeyboardInterrupt:
        shown.close()
        interrupted([job for job in jobs if job not in codes])
    finally:
        shown.close()
    return worst(codes.values()), statuses


def interrupted(jobs: Sequence[str]) -> None:
    """Print the jobs that continue after Ctrl-C, and end the command."""
    for job in jobs:
        say(f"interrupted: the job continues: {job} (`submit.py wait {job}`, or `submit.py cancel {job}`)")
    raise click.exceptions.Exit(INTERRUPTED)
