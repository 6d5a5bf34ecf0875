"""Housekeeping: jobs, results and sources are kept for a while, then removed."""

import logging

from ocrqueue.errors import StorageError, UnknownJob, WrongState
from ocrqueue.ledger import Ledger
from ocrqueue.spool import Spool

log = logging.getLogger(__name__)


def remove_old_jobs(ledger: Ledger, spool: Spool, seconds: float) -> int:
    """Forget jobs that ended more than `seconds` ago, in Redis and in the spool; returns how many."""
    before = ledger.now() - seconds
    removed = 0
    for job in ledger.jobs():
        try:
            ended = ledger.job(job).ended
            if ended is None or ended > before:
                continue
            ledger.drop(job)
            spool.drop(job)
        except (UnknownJob, WrongState):  # dropped or retried meanwhile
            continue
        except StorageError as e:
            log.warning("job=%s: its folder could not be removed: %s", job, e.message)
            continue
        removed += 1
    return removed
