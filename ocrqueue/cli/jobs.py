"""The commands about jobs that are in the queue, or were."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from ocrqueue.cli.follow import SECONDS, follow_jobs
from ocrqueue.cli.outputs import check_format, to_stdout, whole_file
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
    say,
    worst,
)
from ocrqueue.client import Client, Job, JobStatus
from ocrqueue.errors import OcrError, UnknownJob
from ocrqueue.states import JobState

_jobs = click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print an object a line.")


def _each(jobs: Sequence[str], action: Callable[[Job], int]) -> int:
    """Do something with each job; what fails with one is no matter for the others. Without Redis nothing works."""
    client = Client()
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
    """Say how far jobs are, and what they wait for where nothing moves."""
    return _each(jobs, lambda job: _show(job.status(), as_json))


def _show(found: JobStatus, as_json: bool) -> int:
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        say(f"{found.id}  {found.name}: {progress_of(found)}", sys.stdout)
        report_missing(found.name, found)
    return code_of_state(found.state)


@click.command()
@_jobs
@click.option("--timeout", type=SECONDS, metavar="S", help="Seconds to wait at most; the job goes on.")
def wait(jobs: tuple[str, ...], timeout: float | None) -> int:
    """Wait until jobs have ended."""
    client = Client()
    known, codes = {}, []
    for given in jobs:
        try:
            job = client.job(given)
            job.status()
            known[job.id] = job
        except UnknownJob as e:
            codes.append(report(e))
    if known:
        codes.append(follow_jobs(client, list(known), timeout, lambda found: _ended(known[found.id], found))[0])
    return worst(codes)


def _ended(job: Job, found: JobStatus) -> int:
    if found.state == "failed":
        report(job.failure(), found.name)
    elif found.failed:
        report_pages(found.name, job.failed_pages())
    report_missing(found.name, found)
    return code_of_state(found.state)


@click.command()
@click.argument("job", metavar="JOB")
@click.option("-f", "--format", "format_name", default="text", callback=check_format, metavar="FORMAT",
              help="text (default), markdown, json, jsonl, hocr, alto or pdf.")  # fmt: skip
@click.option("-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
def result(job: str, format_name: str, file: Path | None) -> int:
    """Print what a job has read, or write it to a file."""
    handle = Client().job(job)
    found = handle.status()
    if not found.has_ended:
        complain(f"job {found.id} is {progress_of(found)}; wait for it with `submit.py wait {found.id}`")
        return TIMED_OUT
    if file:
        try:
            with whole_file(file, format_name) as stream:
                handle.write(format_name, stream)
        except OSError as e:
            raise click.UsageError(f"{file} cannot be written ({e.strerror}); choose another file with -o") from e
    else:
        to_stdout(partial(handle.write, format_name), format_name)
    report_pages(found.name, handle.failed_pages() if found.failed else [])
    report_missing(found.name, found)
    return code_of_state(found.state)


@click.command()
@_jobs
def cancel(jobs: tuple[str, ...]) -> int:
    """Stop jobs between pages; what was read stays."""

    def one(job: Job) -> int:
        word = progress_of(job.status()) if job.cancel() else "nothing was left to cancel"
        say(f"{job.id}: {word}", sys.stdout)
        return DONE

    return _each(jobs, one)


@click.command()
@_jobs
def retry(jobs: tuple[str, ...]) -> int:
    """Read the failed and cancelled pages of jobs again."""

    def one(job: Job) -> int:
        job.retry()
        say(f"{job.id}: queued again", sys.stdout)
        return DONE

    return _each(jobs, one)


@click.command()
@_jobs
def drop(jobs: tuple[str, ...]) -> int:
    """Forget jobs that have ended, with all that was stored of them."""

    def one(job: Job) -> int:
        job.drop()
        say(f"{job.id}: dropped", sys.stdout)
        return DONE

    return _each(jobs, one)


@click.command(name="jobs")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only those in this state.")
@_as_json
def list_jobs(state: str | None, as_json: bool) -> int:
    """List all jobs that are known, oldest first."""
    for found in Client().jobs():
        if state in (None, found.state):
            _show(found, as_json)
    return DONE


@click.command()
@_as_json
def dead(as_json: bool) -> int:
    """List the pages that failed and that a retry might mend; page 0 is the document itself."""
    for page in Client().dead():
        if as_json:
            print(json.dumps(page.to_json()))
        else:
            say(f"{page.job}  {page.name}: page {page.page}: {page.code}: {page.message}", sys.stdout)
    return DONE


@click.command()
def doctor() -> int:
    """Look whether everything that reading needs is there, and say what to do where it is not."""
    from ocrqueue.client.doctor import examine

    wrong = False
    for finding in examine():
        wrong |= finding.level == "wrong"
        say(f"{finding.level:5}  {finding.text}", sys.stdout)
    return FAILED if wrong else DONE
