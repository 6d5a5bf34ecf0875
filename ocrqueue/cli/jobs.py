"""The commands for jobs by id, and `doctor`."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

import click

from ocrqueue.cli.follow import SECONDS, follow_jobs, quiet
from ocrqueue.cli.outputs import STDOUT, check_format, to_stdout, whole_file
from ocrqueue.cli.progress import now_and_then
from ocrqueue.cli.report import (
    DONE,
    FAILED,
    TIMED_OUT,
    code_of_state,
    complain,
    progress_of,
    report,
    report_missing,
    report_pages,
    report_warnings,
    say,
    worst,
)
from ocrqueue.client import JobHandle, JobStatus, default_client
from ocrqueue.errors import OcrError, UnknownJob
from ocrqueue.states import JobState
from ocrqueue.storage.results import PageNote

_jobs = click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object per line.")


def _each(jobs: Sequence[str], action: Callable[[JobHandle], int]) -> int:
    """Run an action for each job, also after an error of another job; returns the worst exit code."""
    client = default_client()
    codes = []
    for job in jobs:
        try:
            codes.append(action(client.job(job)))
        except OcrError as e:
            codes.append(report(e))
    return worst(codes)


@click.command()
@_jobs
@_as_json
def status(jobs: tuple[str, ...], as_json: bool) -> int:
    """Print the progress of jobs, and what they wait for."""
    return _each(jobs, lambda job: _show(job.status(), as_json, job.warnings()))


def _show(found: JobStatus, as_json: bool, warnings: Sequence[PageNote] | None = None) -> int:
    """Print the status of a job; with its warnings, or in a list of jobs, where they are None, with its time."""
    if as_json:
        print(json.dumps(found.to_json() | ({} if warnings is None else {"warnings": warnings})))
    else:
        time = "" if warnings is not None else f"{datetime.fromtimestamp(found.created).astimezone():%Y-%m-%d %H:%M}  "
        say(f"{found.id}  {time}{found.name}: {progress_of(found)}", sys.stdout)
        if warnings is not None:
            report_missing(found.name, found)
            report_warnings(found.name, warnings)
    return code_of_state(found.state)


@click.command()
@_jobs
@click.option("--timeout", type=SECONDS, metavar="S", help="Seconds to wait at most; then the job continues.")
@quiet
def wait(jobs: tuple[str, ...], timeout: float | None, is_quiet: bool) -> int:
    """Wait until jobs have ended."""
    client = default_client()
    end = None if timeout is None else time.monotonic() + timeout

    def left() -> float | None:
        return None if end is None else max(0.0, end - time.monotonic())

    known: dict[str, JobHandle] = {}
    names: dict[str, str] = {}
    codes: list[int] = []
    for given in jobs:
        try:
            job = client.job(given)
            found = next(client.follow([job.id], left()))  # which a silent server owes until the timeout only
            known[job.id], names[job.id] = job, found[job.id].name
        except UnknownJob as e:
            codes.append(report(e))
    if known:
        alike = {name for name, count in Counter(names.values()).items() if count > 1}
        names = {job: f"{name} ({job})" if name in alike else name for job, name in names.items()}

        def ended(found: JobStatus) -> int:
            return _ended(known[found.id], names[found.id], found)

        codes.append(follow_jobs(client, names, left(), ended, is_quiet=is_quiet)[0])
    return worst(codes)


def _ended(job: JobHandle, name: str, found: JobStatus) -> int:
    if found.state == JobState.FAILED:
        report(job.failure(), name)
    elif found.failed:
        report_pages(name, job.failed_pages())
    report_missing(name, found)
    report_warnings(name, job.warnings())
    return code_of_state(found.state)


@click.command()
@click.argument("job", metavar="JOB")
@click.option("-f", "--format", "format_name", default="text", callback=check_format, metavar="FORMAT",
              help="text (default), markdown, html, json, jsonl, hocr, alto or pdf.")  # fmt: skip
@click.option("-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--structure", is_flag=True, help="Find headings, lists, tables and so on first; markdown implies it.")
@quiet
def result(job: str, format_name: str, file: Path | None, structure: bool, is_quiet: bool) -> int:
    """Print the result of a job, or write it to a file."""
    handle = default_client().job(job)
    found = handle.status()
    if not found.has_ended:
        complain(f"job {found.id} is {progress_of(found)}; wait for it with `submit.py wait {found.id}`")
        return TIMED_OUT
    told = None if is_quiet else now_and_then()
    if file and str(file) != STDOUT:
        try:
            with whole_file(file, format_name) as stream:
                handle.write(format_name, stream, structure=structure, progress=told)
        except OSError as e:
            raise click.UsageError(f"{file} cannot be written ({e.strerror}); choose another file with -o") from e
    else:
        to_stdout(partial(handle.write, format_name, structure=structure, progress=told), format_name)
    if found.state == JobState.CANCELLED:
        say(f"job {found.id} is {progress_of(found)}")
    report_pages(found.name, handle.failed_pages() if found.failed else [])
    report_missing(found.name, found)
    report_warnings(found.name, handle.warnings())
    return code_of_state(found.state)


@click.command()
@_jobs
def cancel(jobs: tuple[str, ...]) -> int:
    """Cancel the pages that no worker has started. Pages that were read are kept."""

    def one(job: JobHandle) -> int:
        word = progress_of(job.status()) if job.cancel() else "no page was left to cancel"
        say(f"{job.id}: {word}", sys.stdout)
        return DONE

    return _each(jobs, one)


@click.command()
@_jobs
def retry(jobs: tuple[str, ...]) -> int:
    """Read the failed and cancelled pages of jobs again."""

    def one(job: JobHandle) -> int:
        job.retry()
        say(f"{job.id}: queued again", sys.stdout)
        return DONE

    return _each(jobs, one)


@click.command()
@_jobs
def drop(jobs: tuple[str, ...]) -> int:
    """Remove jobs that have ended, with their documents and results."""

    def one(job: JobHandle) -> int:
        job.drop()
        say(f"{job.id}: dropped", sys.stdout)
        return DONE

    return _each(jobs, one)


@click.command(name="jobs")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="List only jobs in this state.")
@click.option("--name", metavar="TEXT", help="List only jobs whose document has this in its name.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="List the N newest ones at most.")
@_as_json
def list_jobs(state: str | None, name: str | None, limit: int | None, as_json: bool) -> int:
    """List jobs, newest first: id, time of submission, name, state."""
    count = 0
    found = default_client().newest_jobs(JobState(state) if state else None, name)
    for count, one in enumerate(islice(found, limit), 1):  # noqa: B007
        _show(one, as_json)
    if not count:
        with_name = f" with {name!r} in its name" if name else ""
        say(
            f"no job{with_name} is {state}" if state else f"there is no job{with_name}" if name else "there are no jobs"
        )
    return DONE


@click.command()
@_as_json
def dead(as_json: bool) -> int:
    """List the failed pages that a retry may read. Page 0 is the document itself."""
    count = 0
    for count, page in enumerate(default_client().each_dead(), 1):  # noqa: B007
        if as_json:
            print(json.dumps(page.to_json()))
        else:
            say(f"{page.job}  {page.name}: page {page.page}: {page.code}: {page.message}", sys.stdout)
    if not count:
        say("no failed page waits for a retry")
    return DONE


@click.command()
def doctor() -> int:
    """Check a running queue. Each fault is printed with what to do."""
    from ocrqueue.client.doctor import examine
    from ocrqueue.client.findings import Level

    wrong = False
    for finding in examine():
        wrong |= finding.level == Level.WRONG
        say(f"{finding.level:5}  {finding.text}", sys.stdout)
    return FAILED if wrong else DONE
