"""The errors of this project, and their codes. Other programs decide by the code what to do.

A message says what is wrong and what to do about it. `ocrqueue.cli` turns errors into exit codes.
"""

from dataclasses import dataclass
from reprlib import Repr

DOCUMENT_CODES = frozenset(
    "empty_file empty_document unsupported_format corrupt_file password_required permission_denied too_large "
    "too_many_pages source_not_allowed source_unreachable invalid_options".split()
)
PAGE_CODES = frozenset("corrupt_file too_large engine_error degenerate_output".split())
SHARED_CODES = frozenset(
    "timeout worker_lost model_missing model_broken language_missing storage_error internal_error cancelled".split()
)
# faults of the document, or of what was asked for: the same document fails in the same way when it is read again
FINAL_CODES = frozenset(
    "empty_file empty_document unsupported_format corrupt_file password_required too_large too_many_pages "
    "source_not_allowed invalid_options language_missing".split()
)
CODES = DOCUMENT_CODES | PAGE_CODES | SHARED_CODES


@dataclass(frozen=True, slots=True)
class PageError:
    """Why a page has no text. It is stored as the page's result; the other pages of the document go on."""

    code: str  # one of PAGE_CODES or SHARED_CODES
    message: str  # what is wrong, one line


_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.fillvalue = "…"


def shortened(value: object) -> str:
    """A value as a message shows it: a text that is longer than 60 characters lacks its middle."""
    return _SHORT.repr(value)


class OcrError(Exception):
    """Base of the errors of this project."""

    code = "internal_error"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class DocumentError(OcrError):
    """A document or its source cannot be opened. The job fails with `code`."""


class PageFailure(OcrError):
    """A page cannot be rendered or read. The page fails with `code`; its document goes on."""


class InvalidOptions(DocumentError):
    """An option is unknown, has a wrong type or a value that is not allowed."""

    code = "invalid_options"


class StorageError(OcrError):
    """The spool cannot be read or written."""

    code = "storage_error"


class StorageAway(StorageError):
    """The storage cannot be reached, or does not answer. It may come back; no document or page is to blame."""


class DamagedFile(StorageError):
    """A file of the spool can be read, but its content is not what was written."""


class ModelUnavailable(OcrError):
    """An engine cannot load its model. The page is returned to the queue, and no attempt is counted."""

    code = "model_missing"


class ModelDirectoryError(OcrError):
    """The model directory, or something in it, cannot be used."""

    code = "model_directory"


class EngineFreed(OcrError):
    """An engine was asked to read after it had freed its model."""

    code = "engine_error"


class QueueUnavailable(OcrError):
    """Redis cannot be reached."""

    code = "queue_unavailable"


class QueueFull(QueueUnavailable):
    """The queue is full. Nothing of the submission was kept."""

    code = "queue_full"


class TooManyOpenPages(OcrError):
    """The jobs of an API key have as many open pages as it allows. Nothing of the submission was kept."""

    code = "too_many_open_pages"

    def __init__(self, owner: str, count: int, allowed: int) -> None:
        super().__init__(
            f"the jobs of the API key {owner!r} have {count:,} open pages and {allowed:,} are allowed: "
            "wait until some are read (a document that is not opened yet counts as ten)"
        )


class Unconfirmed(QueueUnavailable):
    """Redis did not answer whether it created the job. The document is kept, and the job may exist now or later."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(
            f"{reason}; job {job} may have been created: its document is kept, and workers take it up within ten "
            f"minutes once Redis answers; look with `submit.py status {job}`"
        )
        self.job = job


class UnknownJob(OcrError):
    """No job has this id."""

    code = "unknown_job"


class UnknownDelivery(OcrError):
    """No delivery of a webhook has this id."""

    code = "unknown_delivery"


class WrongState(OcrError):
    """The job is not in a state in which this can be done."""

    code = "wrong_state"


class JobTimeout(OcrError):
    """Waiting took longer than the given time. The job goes on."""

    code = "wait_timeout"


class OcrFailed(OcrError):
    """A job ended without any text. Takes one string, so that Celery's JSON results keep its type and message."""

    def __init__(self, message: str) -> None:
        super().__init__(message, message.partition(":")[0])


def unserved(model: str) -> str:
    """What to do if no worker serves a model."""
    return (
        f"no worker serves the model {model}: check it with `submit.py models check {model}`, then start a worker with "
        f"OCR_MODEL={model}"
    )
