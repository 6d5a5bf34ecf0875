"""The command `submit.py ocr`: submits documents, waits for them, and writes their text."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click

from ocrqueue.cli.follow import SECONDS, follow_jobs, interrupted, quiet
from ocrqueue.cli.outputs import Files, check_format, destinations, to_stdout, whole_file
from ocrqueue.cli.progress import now_and_then
from ocrqueue.cli.report import (
    DONE,
    FAILED,
    QUEUE,
    READ,
    Outcome,
    code_of_error,
    code_of_state,
    complain,
    report,
    report_missing,
    report_pages,
    report_warnings,
    say,
    summary,
    worst,
)
from ocrqueue.cli.sources import Entry, expand
from ocrqueue.client import AnyClient, JobHandle, JobStatus, default_client
from ocrqueue.client.follow import Statuses
from ocrqueue.client.submission import Parameters, parse
from ocrqueue.client.submission.many import Document
from ocrqueue.errors import InvalidOptions, OcrError, OcrFailed
from ocrqueue.formats import FORMATS
from ocrqueue.states import STRUCTURED_FORMATS, JobState
from ocrqueue.storage.results import PageNote
from ocrqueue.webhooks.parameters import WebhookParameters, parse_webhook

_COUNTS = ("state", "pages", "missing_pages", "ok", "failed", "cancelled", "quality", "poorly_read")


@dataclass(slots=True)
class Reading:
    """One document of the command, and its outcome."""

    entry: Entry
    files: Files  # where each format goes; empty: nowhere
    structure: bool  # whether the pages must have blocks; a job that existed already may not have asked for them
    job: JobHandle | None = None  # None: it could not be submitted
    error: dict[str, str] | None = None  # code and message
    written: list[str] = field(default_factory=list)
    warnings: list[PageNote] = field(default_factory=list)  # of pages whose text may not be complete

    def failed(self, error: OcrError) -> int:
        """Store an error and print it; returns the exit code."""
        message = error.message.removeprefix(f"{error.code}: ")
        self.error = {"code": error.code, "message": message}
        return report(error, self.entry.shown)

    def as_json(self, status: JobStatus | None) -> dict[str, Any]:
        """The object that `--json` prints for this document."""
        counts = {name: getattr(status, name, None) for name in _COUNTS}
        job = self.job.id if self.job else None
        return {
            "source": self.entry.shown,
            "job": job,
            **counts,
            "files": self.written,
            "warnings": self.warnings,
            "error": self.error,
        }


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-f", "--format", "formats", multiple=True, default=("text",), callback=check_format, metavar="FORMAT",
              help="text (default), markdown, html, json, jsonl, hocr, alto or pdf; may be repeated.")  # fmt: skip
@click.option("-o", "--output", metavar="DIR|FILE|-",
              help="Folder for the files (<name>.txt, <name>.ocr.pdf, ...). For one document in one format also a file "
              "with the format's ending, or - for standard output, which is its default; else the current folder is. A "
              "terminal gets text and markdown only.")  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="Read subfolders, too; the output has the same subfolders.")
@click.option("--pages", metavar="RANGES", help="Pages to read, such as 1-3,8,10-")
@click.option("--lang", help="Languages of the text, such as de or ru+en.")
@click.option("--engine", default="auto", metavar="NAME", help="Engine that reads the pages. Default: auto.")
@click.option("--model", metavar="NAME", help="Model of the engine. Default: the one that the workers serve.")
@click.option("--dpi", type=int, metavar="N", help="Resolution at which pages are rendered.")
@click.option("--text-layer", default="use", metavar="use|ignore", help="Whether to use the text layer of a PDF.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE", help="Holds the document's password.")
@click.option("--priority", default="normal", metavar="low|normal|high", help="Default: normal.")
@click.option("--key", help="Submissions with the same key are the same job.")
@click.option("--webhook", metavar="URL", help="URL that is called when the job ends.")
@click.option("--webhook-event", "webhook_events", multiple=True, metavar="EVENT",
              help="Events that call it: job.*, page.*, or a type; may be repeated. Default: job.*")  # fmt: skip
@click.option("--webhook-secret-file", type=click.Path(path_type=Path), metavar="FILE",
              help="Holds the secret that signs the calls. Default: OCR_WEBHOOK_SECRET of the workers.")  # fmt: skip
@click.option("--structure", is_flag=True, help="Find headings, lists, tables and so on; markdown implies it.")
@click.option("--keep-running-heads", is_flag=True,
              help="Keep running heads, feet and page numbers in Markdown and HTML.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Read the pages again, even if the page cache has them.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and exit at once.")
@click.option("--timeout", type=SECONDS, metavar="S", help="Seconds to wait at most; then the job continues.")
@quiet
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each document; the text goes to files.")
def ocr(sources: tuple[str, ...], formats: tuple[str, ...], output: str | None, **given: Any) -> int:
    """Read documents. A SOURCE is a file, a folder, a URL, or - for standard input."""
    if given["no_wait"] and (output is not None or given["timeout"] is not None):
        raise click.UsageError(
            "--no-wait exits before there is a result, so -o and --timeout have no effect: leave them out, and "
            "fetch the result later with `submit.py result JOB -o FILE`"
        )
    parameters = _parameters(given, formats)
    entries = expand(sources, given["recursive"])
    if not entries:
        raise click.UsageError("the sources contain no document; -r reads the subfolders, too")
    if given["key"] is not None and len(entries) != 1:
        raise click.UsageError("--key needs exactly one source; submit the sources one by one")
    is_one = len(sources) == 1 and not Path(sources[0]).is_dir()
    files: Sequence[Files] = [{} for _ in entries]
    if not given["no_wait"]:
        files = destinations(entries, formats, output, is_one, given["as_json"])
    readings = [Reading(*pair, given["structure"]) for pair in zip(entries, files, strict=True)]
    client = default_client()
    code = _submit(client, readings, parameters)
    if given["no_wait"]:
        _print_ids(readings, given["as_json"])
        return code
    followed, last = _follow(client, readings, given["timeout"], given["as_json"], given["is_quiet"])
    if len(readings) > 1 and not (given["as_json"] or given["is_quiet"]):
        say(summary([_outcome(reading, last) for reading in readings]))
    return worst([code, followed])


def _parameters(given: dict[str, Any], formats: Sequence[str]) -> Parameters:
    """Check the options and convert them for the client. Raises InvalidOptions, click.UsageError."""
    names = "pages lang engine model dpi text_layer priority keep_running_heads fresh".split()
    options = {name: given[name] for name in names}
    options["structure"] = given["structure"] or not STRUCTURED_FORMATS.isdisjoint(formats)
    options["formats"] = [name for name in formats if FORMATS[name].make]  # the command itself writes the other formats
    options["key"] = given["key"]
    parameters: Parameters = {**parse(options).given(), "key": given["key"]}  # type: ignore[typeddict-item, arg-type]
    if file := given["password_file"]:
        parameters["password"] = _secret(file, "--password-file")
    if given["webhook"] is not None:
        parameters["webhook"] = _webhook(given)
        parse_webhook(parameters["webhook"])
    elif given["webhook_events"] or given["webhook_secret_file"]:
        raise click.UsageError("--webhook-event and --webhook-secret-file belong to --webhook URL: name the URL")
    return parameters


def _webhook(given: dict[str, Any]) -> WebhookParameters:
    webhook: WebhookParameters = {"url": given["webhook"]}
    if given["webhook_events"]:
        webhook["events"] = given["webhook_events"]
    if file := given["webhook_secret_file"]:
        webhook["secret"] = _secret(file, "--webhook-secret-file").decode("utf-8", "replace")
    return webhook


def _secret(file: Path, option: str) -> bytes:
    """The content of a file without the end of its line. Raises click.UsageError."""
    try:
        return file.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as e:
        raise click.UsageError(f"{option} {file} cannot be read ({e.strerror}); give another") from e


def _submit(client: AnyClient, readings: list[Reading], parameters: Parameters) -> int:
    """Submit all documents until the queue refuses one; returns the exit code."""
    key = parameters.pop("key", None)
    submissions = client.submit_many((Document(reading.entry.given, key=key) for reading in readings), **parameters)
    codes: list[int] = []
    left = 0
    try:
        for reading, submission in zip(readings, submissions, strict=True):
            reading.job, error = submission.job, submission.error
            if isinstance(error, OSError):
                error = OcrError(f"it cannot be read ({error.strerror}); correct that", "source_unreachable")
            if error is None:
                continue
            if isinstance(error, InvalidOptions) or not isinstance(error, OcrError):
                raise error
            if QUEUE in codes and code_of_error(error) == QUEUE:
                left += 1
            else:
                codes.append(reading.failed(error))
    except KeyboardInterrupt:
        submissions.close()
        jobs = [reading.job for reading in readings] + [submission.job for submission in submissions]
        interrupted([job.id for job in jobs if job])
    if left:
        complain(f"{left} more document{'s were' if left > 1 else ' was'} not submitted; try again later")
    return worst(codes)


def _print_ids(readings: list[Reading], as_json: bool) -> None:
    for reading in readings:
        if as_json:
            print(json.dumps({**reading.as_json(None), "state": JobState.QUEUED if reading.job else None}))
        elif reading.job:
            say(reading.job.id, sys.stdout)


def _follow(
    client: AnyClient, readings: list[Reading], timeout: float | None, as_json: bool, is_quiet: bool
) -> tuple[int, Statuses]:
    """Wait for the jobs and write the text of each as soon as it has ended.

    Returns the exit code and the last statuses.
    """
    by_job = {reading.job.id: reading for reading in readings if reading.job}

    def ended(status: JobStatus) -> int:
        reading = by_job.pop(status.id)
        code = _deliver(reading, status, is_quiet)
        if as_json:
            print(json.dumps(reading.as_json(status)), flush=True)
        return code

    def denied(job: str) -> int:
        why = f"submitted as {job}: this API key may not read it; use --no-wait"
        return by_job[job].failed(OcrError(why, "key_rights"))

    names = {job: reading.entry.shown for job, reading in by_job.items()}
    code, last = follow_jobs(client, names, timeout, ended, denied, is_quiet) if names else (DONE, {})
    if as_json:
        left = [reading for reading in readings if not reading.job or reading.job.id in by_job]
        for reading in left:
            print(json.dumps(reading.as_json(last.get(reading.job.id) if reading.job else None)))
    return code, last


def _outcome(reading: Reading, last: Statuses) -> Outcome:
    """What became of a document, for the summary."""
    name, status = reading.entry.shown, last.get(reading.job.id) if reading.job else None
    if status is None or not status.has_ended:
        return Outcome(name, "not finished" if reading.job else "not submitted")
    if status.state == JobState.DONE and reading.error is None:
        return Outcome(name, READ, status.poorly_read > 0)
    return Outcome(name, JobState.FAILED if status.state == JobState.DONE else status.state)


def _write(reading: Reading, format_name: str, path: Path | None, is_quiet: bool) -> OcrError | None:
    """Write one format of a job to a file, or to standard output if it is None.

    Returns the error of a format that cannot be made. Raises OcrError, OSError.
    """
    job = reading.job
    assert job is not None

    def write(stream: IO[Any]) -> None:
        told = None if is_quiet else now_and_then()
        job.write(format_name, stream, structure=reading.structure, progress=told)

    try:
        if path is None:
            to_stdout(write, format_name)
            return None
        with whole_file(path, format_name) as stream:
            write(stream)
    except OcrFailed as e:
        if not FORMATS[format_name].make:
            raise
        return OcrFailed(e.message.replace(": ", f": {format_name}: ", 1))
    reading.written.append(str(path))
    return None


def _deliver(reading: Reading, status: JobStatus, is_quiet: bool) -> int:
    """Write a job's text, and print the errors of its pages; returns the exit code."""
    job = reading.job
    assert job is not None
    name = reading.entry.shown
    try:
        if status.state == JobState.FAILED:
            return reading.failed(job.failure())
        unmade = [e for name, path in reading.files.items() if (e := _write(reading, name, path, is_quiet))]
        if status.state == JobState.CANCELLED:
            return reading.failed(OcrFailed(f"cancelled: {status.ok} of {status.pages} pages were read; retry the job"))
        report_pages(name, job.failed_pages() if status.failed else [])
        report_missing(name, status)
        reading.warnings = job.warnings()
        report_warnings(name, reading.warnings)
        if unmade:
            return reading.failed(unmade[0])
    except OcrError as e:
        return reading.failed(e)
    except BrokenPipeError:
        raise
    except OSError as e:
        complain(f"the text was not written ({e.strerror}): use `submit.py result {job.id}`", e.filename or name)
        return FAILED
    if reading.written and sys.stderr.isatty() and not is_quiet:
        say(f"{name}: wrote {', '.join(reading.written)}")
    return code_of_state(status.state)
