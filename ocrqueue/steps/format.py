"""Makes an output format from the result of a job."""

from ocrqueue import formats
from ocrqueue.errors import DocumentError, OcrError, StorageError
from ocrqueue.formats import Maker, SourceFile
from ocrqueue.ledger import Job
from ocrqueue.limits import Limits
from ocrqueue.storage import results
from ocrqueue.storage.spool import Spool, output_name, result_name

_NOT_KEPT = "the document's password was deleted when its job was done; submit it again and ask for this format at once"


def make_format(job: Job, format: str, spool: Spool, limits: Limits) -> str:
    """Make a format from the job's result. Returns the name of its file in the job's folder.

    Does nothing if the file exists. Raises DocumentError, PageFailure, StorageError, and OcrError with the code
    `wrong_state` if the job has not ended.
    """
    if not job.has_ended:
        raise OcrError(f"job {job.id} has not ended: formats are made from its result", "wrong_state")
    wanted, result = formats.find(format), result_name(job.round)
    name = output_name(wanted.extension, job.round)
    if wanted.write:
        return write_text_format(job.id, job.round, format, spool)
    try:
        if spool.exists(job.id, name):
            return name
        if wanted.make:
            _make_binary(job, wanted.make, spool, limits, result, name)
    except FileNotFoundError as e:
        raise _lost(e) from e
    return name


def write_text_format(job: str, round: int, format: str, spool: Spool, by_rules: bool = False) -> str:
    """Write a text format of a round's result, if that was not done. Returns the name of its file in the job's folder.

    It needs the result only, so any process may do it. `by_rules` says that the format is made from blocks, which its
    pages do not have; then it has another name. Raises StorageError.
    """
    extension = formats.find(format).extension
    name, result = output_name(f".rules{extension}" if by_rules else extension, round), result_name(round)
    if spool.exists(job, name):
        return name
    try:
        with spool.open_read(job, result) as stream:
            header = results.read_header(stream)
        with spool.open_read(job, result) as stream, spool.open_write(job, name) as output:
            if by_rules:
                output.write(formats.BY_RULES)
            formats.write(format, results.read_pages(stream), header, output)
    except FileNotFoundError as e:
        raise _lost(e) from e
    return name


def _lost(error: FileNotFoundError) -> StorageError:
    return StorageError(f"{error.filename} is no longer in the spool; submit the document again")


def _make_binary(job: Job, make: Maker, spool: Spool, limits: Limits, result: str, name: str) -> None:
    with (
        spool.local_source(job.id, job.source.file or "") as path,
        spool.open_read(job.id, result) as stream,
        spool.open_write_bytes(job.id, name) as output,
    ):
        password = spool.read_password(job.id)
        try:
            make(output, SourceFile(path, limits, password), results.read_pages(stream))
        except DocumentError as e:
            if e.code == "password_required" and password is None:
                raise DocumentError(_NOT_KEPT, e.code) from e
            raise
