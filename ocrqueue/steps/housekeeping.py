"""Housekeeping: removes old jobs, folders, copies and reports. Work of a night is done by one worker."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import cast

from redis import Redis

from ocrqueue import names
from ocrqueue.errors import StorageError, UnknownJob, WrongState
from ocrqueue.formats import FORMATS
from ocrqueue.ledger import Ledger, NewerRecord
from ocrqueue.states import JobState
from ocrqueue.steps.reconciler import unknown
from ocrqueue.storage.source_copies import SourceCopies
from ocrqueue.storage.spool import END, PASSWORD, Spool

log = logging.getLogger(__name__)
_NIGHT_SECONDS = 2 * 86_400
_SETTLED_SECONDS = 3600  # uptime of Redis after which the reconciler has created lost jobs again
_FORMAT_SECONDS = 15  # from the end of a job until its formats are made, as a rule


@contextmanager
def once_a_night(redis: Redis, what: str) -> Iterator[bool]:
    """The value is True for the first caller on a date (of this machine's clock), and False for all others.

    If the block raises, the next caller is the first again.
    """
    key = names.night_key(what, f"{datetime.now().astimezone():%Y-%m-%d}")
    first = bool(redis.set(key, "1", nx=True, ex=_NIGHT_SECONDS))
    try:
        yield first
    except BaseException:
        if first:
            redis.delete(key)
        raise


def remove_old_jobs(ledger: Ledger, spool: Spool, seconds: float) -> int:
    """Remove jobs that ended more than `seconds` ago from Redis and from the spool. Returns how many."""
    before = ledger.now() - seconds
    removed = 0
    for job in ledger.jobs():
        try:
            ended = ledger.job(job).ended
            if ended is None or ended > before:
                continue
            ledger.drop(job)
            spool.drop(job)
        except (UnknownJob, WrongState):  # dropped or retried since `ledger.jobs`
            continue
        except StorageError as e:
            log.warning("job=%s: its folder cannot be removed: %s", job, e.message)
            continue
        removed += 1
    return removed


def remove_ended_copies(ledger: Ledger, copies: SourceCopies) -> int:
    """Remove this machine's copies of documents whose jobs have ended. Returns how many.

    A job that asked for a format made from the document keeps its copy for some seconds after its end: the format is
    made then.
    """
    jobs = copies.jobs()
    if not jobs:
        return 0
    now = ledger.now()
    return sum(copies.remove(job) for job in jobs if _needs_no_copy(ledger, job, now))


def _needs_no_copy(ledger: Ledger, job: str, now: float) -> bool:
    try:
        record = ledger.job(job)
    except NewerRecord:
        return False
    except UnknownJob:
        return True
    with suppress(UnknownJob, NewerRecord):
        if not ledger.job(names.structuring_id(job, record.round)).has_ended:
            return False
    made_from_document = any(FORMATS[format].make for format in record.options.formats)
    return record.ended is not None and record.ended <= now - _FORMAT_SECONDS * made_from_document


def remove_unknown_folders(ledger: Ledger, spool: Spool, seconds: float) -> int:
    """Remove folders of the spool whose job is not in Redis and that did not change for `seconds`. Returns how many.

    An interrupted submission leaves such a folder, and so does a Redis that loses its data. The storage is asked only
    about jobs that Redis does not know.
    """
    if int(cast("dict[str, str]", ledger.redis.info("server"))["uptime_in_seconds"]) < _SETTLED_SECONDS:
        return 0
    removed = 0
    for job in unknown(ledger.redis, spool.jobs()):
        try:
            changed = spool.changed(job)
            if changed is None or changed > ledger.now() - seconds:
                continue
            spool.drop(job)
        except StorageError as e:
            log.warning("job=%s: its folder cannot be removed: %s", job, e.message)
            continue
        removed += 1
    return removed


def remove_old_passwords(spool: Spool, before: float) -> int:
    """Remove the passwords of jobs that were done `before` this time, in seconds since 1970. Returns how many.

    The password of such a job was kept for a format that could not be made. Jobs that are not done keep it for a retry.
    """
    removed = 0
    for job in spool.jobs() if spool.is_local else ():  # object storage never holds a password
        try:
            if spool.exists(job, PASSWORD) and spool.exists(job, END):
                is_done = spool.read_json(job, END).get("state") == JobState.DONE
                if is_done and (spool.changed(job) or before) < before:
                    spool.drop_password(job)
                    removed += 1
        except (StorageError, FileNotFoundError) as e:
            log.warning("job=%s: its password could not be removed: %s", job, e)
    return removed


def remove_old_reports(reports: Path, seconds: float, now: float) -> int:
    """Remove reports that were written more than `seconds` before `now`. Returns how many."""
    if not reports.is_dir():
        return 0
    latest = (reports / "latest").resolve()
    old = [
        folder
        for folder in reports.iterdir()
        if folder.is_dir() and not folder.is_symlink() and folder != latest and folder.stat().st_mtime < now - seconds
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)
