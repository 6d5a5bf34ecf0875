"""Assembling a job: its pages in order make the result, and the job ends."""

from collections.abc import Iterator
from typing import Any

from ocrqueue import formats
from ocrqueue.errors import DocumentError, OcrError, PageError, StorageError
from ocrqueue.formats import Maker, SourceFile
from ocrqueue.ledger import Job, Ledger, PageState, Step
from ocrqueue.limits import Limits
from ocrqueue.steps.reading import storing
from ocrqueue.storage import results
from ocrqueue.storage.results import PageFacts
from ocrqueue.storage.spool import Spool, output_name, result_name

_LATE = "the document's password was deleted when its job was done; submit it again and ask for this format at once"
_GONE = PageError("storage_error", "the text of this page is no longer in the spool; retry the job")


def assemble(job: Job, token: str, ledger: Ledger, spool: Spool) -> Step:
    """Write the result of a claimed job from its stored pages, and end the job. Raises StorageError."""
    stored = set(storing(lambda: spool.page_numbers(job.id)))
    pages = [_gone(p) if p.state == "ok" and p.number not in stored else p for p in ledger.pages(job)]
    missing = [p.number for p in pages if p.message == _GONE.message]
    header = results.result_header(
        job=job.id,
        state=_state(job, len(missing)),
        source={**job.source.to_json(), "pages": job.total},
        options=job.options.given(),
        counts={"ok": job.ok - len(missing), "failed": job.failed + len(missing), "cancelled": job.cancelled},
        seconds=ledger.now() - job.created,
    )

    def write() -> None:
        with spool.open_write(job.id, result_name(job.round)) as stream:
            results.write_result(stream, header, _pages(job, pages, spool))

    storing(write)
    return ledger.end(job.id, job.round, token, missing)


def _gone(page: PageState) -> PageState:
    return PageState(page.number, "failed", page.attempts, _GONE.code, _GONE.message)


def _state(job: Job, missing: int) -> str:
    """The state that `end` will give the job; all its pages are finished, so nothing changes in between."""
    if job.cancelling and job.cancelled:
        return "cancelled"
    ok = job.ok - missing
    return "done" if ok == job.pages else "partial" if ok else "failed"


def _pages(job: Job, pages: list[PageState], spool: Spool) -> Iterator[dict[str, Any]]:
    for page in pages:
        facts = PageFacts(engine=job.engine, model=job.model, revision=job.revision, attempts=page.attempts)
        if page.state == "ok":
            yield spool.read_page(job.id, page.number)
        elif page.state == "failed":
            yield results.failed_page(page.number, PageError(page.code or "internal_error", page.message or ""), facts)
        else:
            yield results.cancelled_page(page.number, facts)


def make_format(job: Job, format: str, spool: Spool, limits: Limits) -> str:
    """Make a format from the job's result; returns the file's name in the job's folder.

    What was made before stays. Raises DocumentError, PageFailure, StorageError and, with code `wrong_state`, OcrError.
    """
    if not job.has_ended:
        raise OcrError(f"job {job.id} has not ended: formats are made from its result", "wrong_state")
    wanted, result = formats.find(format), result_name(job.round)
    name = output_name(wanted.extension, job.round)
    try:
        if spool.exists(job.id, name):
            return name
        if wanted.write:
            _write_text(job, format, spool, result, name)
        elif wanted.make:
            _make_binary(job, wanted.make, spool, limits, (result, name))
    except FileNotFoundError as e:
        raise StorageError(f"{e.filename} is no longer in the spool; submit the document again") from e
    return name


def _write_text(job: Job, format: str, spool: Spool, result: str, name: str) -> None:
    with spool.open_read(job.id, result) as stream:
        header = results.read_header(stream)
    with spool.open_read(job.id, result) as stream, spool.open_write(job.id, name) as output:
        formats.write(format, results.read_pages(stream), header, output)


def _make_binary(job: Job, make: Maker, spool: Spool, limits: Limits, names: tuple[str, str]) -> None:
    result, name = names
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
                raise DocumentError(_LATE, e.code) from e
            raise
