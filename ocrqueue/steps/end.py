"""Publishes the end of a round: first in Redis, in one atomic step, then in the job's folder.

The step in Redis stores Celery's result, wakes whoever waits for the job, sends the message to the task that the sender
named, asks for the formats, and publishes the event: all of it once, and only while the job is still in this round. If
a process dies before `record_end` has finished, the reconciler publishes the end again; that only does what is left.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ocrqueue.errors import UnknownJob
from ocrqueue.formats import FORMATS
from ocrqueue.ledger import Job, Ledger, Message, Publication
from ocrqueue.states import JobState, PageState
from ocrqueue.storage import rounds
from ocrqueue.storage.spool import JOB, Spool

Summary = dict[str, Any]
Encode = Callable[[Job, Summary], Publication]


@dataclass(frozen=True, slots=True)
class End:
    """The end of a round that has been published in Redis."""

    job: Job
    summary: Summary
    first: bool  # False: an earlier call published it, and may not have come to `record_end`
    messages: list[Message]  # to be sent by the caller


def publish_end(job: str, ledger: Ledger, encode: Encode) -> End | None:
    """Publish the end of a job's current round in Redis; None if it has not ended, or a retry began meanwhile.

    `encode(job, summary)` gives Celery's result and the messages to send. Raises NewerRecord.
    """
    try:
        record = ledger.job(job)
    except UnknownJob:
        return None
    if not record.has_ended:
        return None
    summary = summarise(record, ledger)
    step = ledger.publish(job, record.round, replace(encode(record, summary), error=summary["error"]))
    return End(record, summary, step.reply["published"], step.messages) if step.done else None


def record_end(end: End, ledger: Ledger, spool: Spool) -> None:
    """Note the end in the job's folder, remove a password that is no longer needed, and count the end as published.

    Raises StorageError; then the reconciler tries again.
    """
    job = end.job
    if job.structures:  # it has no folder
        ledger.confirm_end(job.id, job.round)
        return
    if spool.exists(job.id, JOB):  # missing for a job that a malformed message made
        rounds.end_round(spool, job.id, job.round, end.summary)
    if job.state == JobState.DONE and not any(FORMATS[format].make for format in job.options.formats):
        spool.drop_password(job.id)  # a format made from the document needs it; then it is removed after that
    ledger.confirm_end(job.id, job.round)


def summarise(job: Job, ledger: Ledger) -> Summary:
    """What a job's sender learns of its end: Celery's result, and the argument of the task that is notified.

    `quality` is the mean of the pages whose quality is known, `poorly_read` the number of those with a low one, and
    `seconds` the time from the job's creation to its end; `error` is None or has a code and a message.
    """
    return {
        "job": job.id,
        "name": job.source.name,
        "state": job.state,
        "pages": job.pages or 0,
        "counts": {"ok": job.ok, "failed": job.failed, "cancelled": job.cancelled},
        "quality": job.quality,
        "poorly_read": job.poorly_read,
        "seconds": round((job.ended or job.created) - job.created, 3),
        "error": _error(job, ledger) if job.state == JobState.FAILED else None,
    }


def _error(job: Job, ledger: Ledger) -> dict[str, str]:
    """Why a failed job has no text: the document's error, or else that of its first failed page."""
    if job.code:
        return {"code": job.code, "message": job.message or ""}
    first = next((page for page in ledger.pages(job) if page.state == PageState.FAILED), None)
    if first is None:
        return {"code": "internal_error", "message": "no page could be read"}
    return {
        "code": first.code or "internal_error",
        "message": f"no page could be read; page {first.number}: {first.message}",
    }
