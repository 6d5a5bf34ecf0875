"""Messages and exit codes of the command line. Only this module turns errors into exit codes."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ocrqueue.client.status import JobStatus
from ocrqueue.errors import InvalidOptions, JobTimeout, OcrError, OcrFailed, QueueUnavailable, StorageError
from ocrqueue.ledger import PageRecord
from ocrqueue.ledger.encoding import shown_line
from ocrqueue.settings import SettingsError
from ocrqueue.states import JobState
from ocrqueue.storage.results import PageNote

SCRIPT, COMMAND = "submit.py", "ocr-queue"  # in the project's folder, where messages name it; and installed
DONE, USAGE, PARTIAL, FAILED, TIMED_OUT, QUEUE, INTERRUPTED = 0, 2, 3, 4, 5, 6, 130
CLOSED = 141  # of a program that SIGPIPE ended, in a shell
_WORST_FIRST = (QUEUE, FAILED, PARTIAL, TIMED_OUT, DONE)
_BY_STATE = {JobState.PARTIAL: PARTIAL, JobState.FAILED: FAILED, JobState.CANCELLED: FAILED}
READ = "read"
_DOCUMENTS_SHOWN = 5  # documents of a kind that a summary names
_PAGES_SHOWN = 20  # failed pages, and warnings, of a job that get a line each


def program() -> str:
    """The name of this program, as the user calls it."""
    called = Path(sys.argv[0])
    is_installed = called.stem == COMMAND or called.parts[-2:] == ("ocrqueue", "__main__.py")
    return COMMAND if is_installed else SCRIPT


def worst(codes: Iterable[int]) -> int:
    """The exit code of a command with several jobs: the worst of their codes."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), DONE)


def code_of_state(state: str) -> int:
    """The exit code for a job's state; 0 until the job has ended."""
    return _BY_STATE.get(JobState(state), DONE)


def code_of_error(error: OcrError) -> int:
    """The exit code for an error."""
    if isinstance(error, InvalidOptions | SettingsError):
        return USAGE
    if isinstance(error, QueueUnavailable | StorageError):  # the spool belongs to the queue
        return QUEUE
    return TIMED_OUT if isinstance(error, JobTimeout) else FAILED


def say(line: str, stream: TextIO | None = None) -> None:
    """Print one line to a stream, by default stderr, without control characters, which a name or a message may have."""
    stream = stream or sys.stderr
    line = " ".join(line.splitlines()).replace(f"`{SCRIPT} ", f"`{program()} ")
    print(shown_line(line), file=stream, flush=True)


def complain(message: str, *subjects: str | None) -> None:
    """Print an error on one line, after the subjects it is about."""
    say(": ".join(["error", *(s for s in subjects if s), message]))


def report(error: OcrError, subject: str | None = None) -> int:
    """Print an error with its code and subject, and return its exit code."""
    code = None if isinstance(error, OcrFailed) else error.code  # the message of OcrFailed begins with the code
    complain(error.message, subject, code)
    return code_of_error(error)


def report_pages(name: str, pages: list[PageRecord]) -> None:
    """Print a line for each failed page, up to a limit."""
    for page in pages[:_PAGES_SHOWN]:
        complain(page.message or "", name, f"page {page.number}", page.code)
    if len(pages) > _PAGES_SHOWN:
        complain(f"{len(pages) - _PAGES_SHOWN} more pages failed; `-f json` lists them", name)


def report_missing(name: str, status: JobStatus) -> None:
    """Print a line if the document lacks pages that were asked for."""
    if status.missing_pages:
        say(f"warning: {name}: the document has no page {status.missing_pages}")


def report_warnings(name: str, warnings: Sequence[PageNote]) -> None:
    """Print a line for each warning of a page, up to a limit."""
    for found in warnings[:_PAGES_SHOWN]:
        say(f"warning: {name}: page {found['page']}: {found['code']}: {found['message']}")
    if len(warnings) > _PAGES_SHOWN:
        say(f"warning: {name}: {len(warnings) - _PAGES_SHOWN} more pages have warnings; `-f json` lists them")


def progress_of(status: JobStatus) -> str:
    """The progress of a job, such as "running, 3 of 8 pages, 1 failed"."""
    parts = [status.state if status.has_ended or not status.cancelling else "cancelling"]
    if status.pages is not None:
        done = status.ok if status.has_ended else status.finished - status.cancelled
        parts.append(f"{done} of {status.pages} page{'s' if status.pages != 1 else ''}")
    counts = ((status.failed, "failed"), (status.cancelled, "cancelled"), (status.poorly_read, "poorly read"))
    parts += [f"{n} {word}" for n, word in counts if n]
    if status.read_again_by:
        parts.append(f"read again by {status.read_again_by}")
    if status.code:
        parts.append(f"{status.code}: {status.message}")
    if status.waiting_for:
        parts.append(status.waiting_for)
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document."""

    name: str
    kind: str  # READ, or what else is said of it, such as "failed"
    is_poor: bool = False  # pages of it were poorly read


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line after many documents, such as "40 read, 2 of them poorly: a.pdf, b.pdf; 1 failed: c.pdf"."""
    kinds = dict.fromkeys([READ, *(outcome.kind for outcome in outcomes)])
    named = {kind: [outcome.name for outcome in outcomes if outcome.kind == kind] for kind in kinds}
    poor = [outcome.name for outcome in outcomes if outcome.is_poor]
    read = f"{len(named.pop(READ))} {READ}" + (f", {len(poor)} of them poorly: {_some(poor)}" if poor else "")
    return "; ".join([read, *(f"{len(names)} {kind}: {_some(names)}" for kind, names in named.items())])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _DOCUMENTS_SHOWN
    return ", ".join(names[:_DOCUMENTS_SHOWN]) + (f" and {more} more" if more > 0 else "")
