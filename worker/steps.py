"""Runs one step of a claimed job under its time limit. What goes wrong becomes a step in the ledger."""

import logging
import time

from redis.exceptions import RedisError

import worker_config as config
from ocrqueue.engines import ENGINES
from ocrqueue.engines.holder import Loaded
from ocrqueue.errors import DocumentError, OcrError, OcrFailed, PageError, PageFailure, StorageAway, StorageError
from ocrqueue.formats import FORMATS
from ocrqueue.ledger import Claim, Job, Measured, Step
from ocrqueue.ledger.workers import Worker, live
from ocrqueue.process.watchdog import time_limit
from ocrqueue.states import JobState, MessageKind, Return
from ocrqueue.steps.assemble import assemble as assemble_job
from ocrqueue.steps.engine_choice import other_engine, read_again_as
from ocrqueue.steps.format import make_format
from ocrqueue.steps.image import make_image
from ocrqueue.steps.open import open_job
from ocrqueue.steps.page_cache_key import reads_as
from ocrqueue.steps.read import read_claim
from ocrqueue.steps.structure import open_structuring, structure_claim
from ocrqueue.storage.base import is_full
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.retry import PATIENCE
from worker.claims import ClaimTask
from worker.context import claim_sizes, ledger, page_cache, redis, spool
from worker.dispatch import dispatch
from worker.engines import suspend

log = logging.getLogger(__name__)
# Seconds to wait for a storage that is away before the claim is given back, so that other tasks of this worker, such as
# the reconciler, get a turn meanwhile.
_PATIENCE = 60.0
_REST = 5.0  # seconds that a worker keeps a document's claim if it cannot use the spool
WRITE_SECONDS = config.LIMITS.page_seconds + config.LIMITS.load_seconds  # to write a result, or one format of it


def open_document(record: Job, token: str, wrong: OcrError | None) -> Step:
    """Open a claimed job's document; the job fails if that is impossible, or if its message was `wrong`."""
    try:
        if wrong:
            raise wrong
        with time_limit(config.LIMITS.open_seconds, _PATIENCE):
            if record.structures:
                return open_structuring(record, token, ledger())
            return open_job(
                record,
                token,
                ledger(),
                spool(),
                page_cache(),
                config.LIMITS,
                config.REREAD,
                allowed=config.OCR_ALLOWED_SOURCES,
                engines=ENGINES | config.SERVED,
            )
    except StorageAway as e:
        return _given_back(record.id, token, e)
    except OcrError as e:
        if isinstance(e, StorageError) and (why := _spool_fault()):
            return _given_back(record.id, token, why, _REST)
        log.info("job=%s refused: %s: %s", record.id, e.code, e.message)
        error = PageError(e.code, e.message)
    except RedisError:
        raise  # the document is not to blame: its claim is given back
    except MemoryError:
        error = PageError("too_large", "the document needs more memory than there is; send a smaller one")
    except Exception as e:
        log.exception("job=%s: internal error while its document was opened", record.id)
        error = _internal(e)
    return ledger().refuse(record.id, token, error)


def read_pages(claim: Claim, loaded: Loaded) -> tuple[Step, int]:
    """Read the claimed pages, and count them. Returns also how many were read, or failed.

    The step's `done` is False if the claim was lost meanwhile.
    """
    started = time.monotonic()
    job = claim.job
    try:
        results, needed_engine = read_claim(
            claim,
            loaded,
            spool(),
            page_cache(),
            config.LIMITS,
            lambda: _is_cancelled(job.id),
            lambda: read_again_as(job.options, job.engine, _live(), config.REREAD),
        )
    except StorageAway as e:
        return _given_back(claim.job.id, claim.token, e), 0
    is_lost = any(isinstance(found, PageError) and found.code == StorageError.code for found in results.values())
    if is_lost and (why := _spool_fault()):
        suspend(loaded.engine.name, why)
        return _given_back(job.id, claim.token, why), 0
    seconds = time.monotonic() - started
    claim_sizes().note(job.id, len(results), seconds, needed_engine=needed_engine)
    poor = any(isinstance(found, Measured) and found.may_be_read_better for found in results.values())
    other = None
    if poor:
        other = other_engine(job, reads_as(loaded.engine, loaded.model, config.LIMITS), _live(), config.REREAD)
    return ledger().finish(claim, results, seconds, other), len(results)


def _spool_fault() -> StorageError | None:
    """Why this worker cannot use the spool: then no page or document is to blame. None if it can.

    Its credentials may have expired, or its mount is gone, while other workers go on. A full spool is full for all.
    """
    try:
        spool().check()
    except StorageError as e:
        return None if is_full(e) else e
    return None


def _live() -> list[Worker]:
    """The live workers; none if Redis is away."""
    try:
        return live(redis())
    except RedisError:
        return []


def structure_pages(claim: Claim) -> tuple[Step, int]:
    """Find the structure of the claimed pages, and count them. Returns what `read_pages` does."""
    started = time.monotonic()
    try:
        results = structure_claim(claim, spool(), config.LIMITS, lambda: _is_cancelled(claim.job.id))
    except StorageAway as e:
        return _given_back(claim.job.id, claim.token, e), 0
    return ledger().finish(claim, results, time.monotonic() - started), len(results)


def _given_back(job: str, token: str, why: StorageError, rest: float = 0.0) -> Step:
    """Return a claim because the storage is away: no attempt is counted, and the claim is taken again.

    It is kept for `rest` seconds before, so that other workers take most of the messages.
    """
    log.warning("job=%s: given back, because the storage is away: %s", job, why.message)
    time.sleep(rest)
    return ledger().return_claim(job, token, Return.RELEASE)


def _is_cancelled(job: str) -> bool:
    try:
        return ledger().is_cancelled(job)
    except RedisError:  # a page is read to its end while Redis restarts
        return False


def assemble(record: Job, token: str) -> Step:
    """Write the result of a claimed job, and end the job; if that fails, the attempt is counted as lost."""
    try:
        with time_limit(WRITE_SECONDS, _PATIENCE):
            return assemble_job(record, token, ledger(), spool())
    except StorageAway as e:
        return _given_back(record.id, token, e)
    except OcrError as e:
        if isinstance(e, StorageError) and (why := _spool_fault()):
            return _given_back(record.id, token, why, _REST)
        log.warning("job=%s could not be assembled: %s", record.id, e.message)
        error = PageError(e.code, e.message)
    except RedisError:
        raise  # the assembly is not to blame: its claim is given back
    except (Exception, MemoryError) as e:
        log.exception("job=%s: internal error while it was assembled", record.id)
        error = _internal(e)
    return ledger().return_claim(record.id, token, Return.LOST, error)


def assemble_round(task: ClaimTask, job: str, round: int) -> None:
    """Claim the assembly of a round, carry it out and send what follows. Does nothing if it was done or is under way.

    Raises NewerRecord.
    """
    with task.claiming(lambda alone: ledger().begin(job, MessageKind.ASSEMBLE, task.token, round, alone)) as record:
        step = assemble(record, task.token) if record else None
    if step:
        dispatch(step.messages)


def write_format(record: Job, wanted: str) -> str:
    """Make a format of a job's result; returns the file's name in the job's folder. Raises OcrFailed.

    A password that was kept for this format goes once the format is made, or if the document makes it impossible. After
    any other failure it stays, so that the format can be made later; `housekeeping.remove_old_passwords` removes it.
    """
    try:
        with time_limit(WRITE_SECONDS, PATIENCE):
            name = make_format(record, wanted, spool(), config.LIMITS)
        _drop_password(record, wanted)
        return name
    except (DocumentError, PageFailure) as e:
        error = PageError(e.code, e.message)
        _drop_password(record, wanted)
    except OcrError as e:
        error = PageError(e.code, e.message)
    except (Exception, MemoryError) as e:
        log.exception("job=%s: internal error while %s was made", record.id, wanted)
        error = _internal(e)
    log.warning("job=%s: the format %s could not be made: %s", record.id, wanted, error.message)
    raise OcrFailed(f"{error.code}: {error.message}")


def write_image(record: Job, wanted: PageImageFile) -> str:
    """Make the image of a page; returns the file's name in the job's folder. Raises OcrFailed."""
    try:
        with time_limit(config.LIMITS.page_seconds, PATIENCE):
            return make_image(record, wanted, spool(), config.LIMITS)
    except OcrError as e:
        error = PageError(e.code, e.message)
    except (Exception, MemoryError) as e:
        log.exception("job=%s: internal error while %s was made", record.id, wanted.name)
        error = _internal(e)
    raise OcrFailed(f"{error.code}: {error.message}")


def _drop_password(record: Job, wanted: str) -> None:
    """Remove a password that was kept for this format alone. A job that is not done keeps it for a retry."""
    if record.state == JobState.DONE and FORMATS[wanted].make:
        try:
            spool().drop_password(record.id)
        except StorageError as e:
            log.warning("job=%s: its password could not be removed: %s", record.id, e.message)


def _internal(error: BaseException) -> PageError:
    return PageError("internal_error", f"{type(error).__name__}: {error}; see the worker log")
