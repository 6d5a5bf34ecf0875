"""What follows from a ledger step: messages are sent, and the end of a job is told to whoever wants to hear of it."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from celery import states
from celery.exceptions import TaskRevokedError
from celery.result import denied_join_result
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue.errors import OcrError, OcrFailed, UnknownJob
from ocrqueue.formats import FORMATS
from ocrqueue.ledger import Job, Message
from ocrqueue.ledger.messages import send, send_format
from ocrqueue.states import JobState, MessageKind, PageState
from ocrqueue.storage.spool import END, JOB
from worker.app import app
from worker.context import ledger, spool, worker_name

log = logging.getLogger(__name__)


def dispatch(messages: Iterable[Message]) -> None:
    """Send what a ledger step asks for. Whatever is lost here is sent again by the reconciler."""
    messages = list(messages)
    try:
        send(app, messages)
    except (RedisError, OperationalError) as e:
        log.warning("messages could not be sent (%s); they will be once Redis takes them", e)
    for message in messages:
        if message.kind == MessageKind.ENDED:
            try:
                tell(message.job)
            except (OcrError, OSError, RedisError, OperationalError) as e:
                log.warning("job=%s: its end could not be told: %s; trying again", message.job, e)


def tell(job: str) -> None:
    """Tell of a job's end: at least once, and the same each time."""
    try:
        record = ledger().job(job)
    except UnknownJob:
        return
    if not record.has_ended:
        return
    summary = summarise(record)
    if record.state != JobState.FAILED or record.pages is not None:
        for format in record.options.formats:
            with denied_join_result():  # this process is not the one that waits for it
                send_format(app, record, format)
    _store_result(record, summary)
    if spool().exists(job, JOB):  # a refused message leaves nothing there
        spool().write_json(job, END, summary)
    if record.state == JobState.DONE and not any(FORMATS[format].make for format in record.options.formats):
        spool().drop_password(job)  # else once that format is made
    _notify(record, summary)
    ledger().told(job, record.round)
    log.info(
        "job=%s %s pages=%s ok=%d failed=%d cancelled=%d seconds=%.1f",
        job, record.state, record.pages, record.ok, record.failed, record.cancelled, summary["seconds"],
    )  # fmt: skip


def summarise(job: Job) -> dict[str, Any]:
    """A job's end in a few words: the Celery result, the notice, the spool's end mark."""
    return {
        "job": job.id,
        "name": job.source.name,
        "state": job.state,
        "pages": job.pages or 0,
        "counts": {"ok": job.ok, "failed": job.failed, "cancelled": job.cancelled},
        "seconds": round((job.ended or job.created) - job.created, 3),
        "error": None if job.state != JobState.FAILED else _why(job),
    }


def _why(job: Job) -> dict[str, str]:
    if job.code:
        return {"code": job.code, "message": job.message or ""}
    first = next((p for p in ledger().pages(job) if p.state == PageState.FAILED), None)
    if first is None:
        return {"code": "internal_error", "message": "no page could be read"}
    return {
        "code": first.code or "internal_error",
        "message": f"no page could be read; page {first.number}: {first.message}",
    }


def _store_result(job: Job, summary: dict[str, Any]) -> None:
    """Under the job's id, and the event that ends the job's task in Flower."""
    if job.state == JobState.CANCELLED:
        app.backend.store_result(job.id, TaskRevokedError("the job was cancelled"), states.REVOKED)
        _event("task-revoked", job.id, terminated=False, signum=None, expired=False)
    elif job.state == JobState.FAILED:
        error = OcrFailed(f"{summary['error']['code']}: {summary['error']['message']}")
        app.backend.store_result(job.id, error, states.FAILURE)
        _event("task-failed", job.id, exception=repr(error), traceback="")
    else:
        app.backend.store_result(job.id, summary, states.SUCCESS)
        _event(
            "task-succeeded",
            job.id,
            result=f"{job.state}: {progress(job.ok, job.failed, job.pages)}",
            runtime=summary["seconds"],
        )


def turn_away(job: str, why: OcrError) -> None:
    """A message that no job is made of, and that may be sent again: its sender hears why."""
    error = OcrFailed(f"{why.code}: {why.message}")
    with suppress(RedisError):  # full itself
        app.backend.store_result(job, error, states.FAILURE)
        _event("task-failed", job, exception=repr(error), traceback="")


def forget_result(job: str) -> bool:
    """Take away what stands under the id of a job that is new; whether it was revoked before it came, which stays."""
    if app.backend.get_task_meta(job, cache=False)["status"] == states.REVOKED:
        return True
    app.backend.forget(job)
    return False


def progress(ok: int, failed: int, pages: int | None) -> str:
    """How far a job is, for people."""
    return f"{ok} of {pages} pages read" + (f", {failed} failed" if failed else "")


def show_progress(job: str, reply: dict[str, Any]) -> None:
    """Flower shows how far a job is."""
    _event("task-progress", job, result=progress(reply["ok"], reply["failed"], reply["n"]))


def _event(kind: str, job: str, **fields: Any) -> None:
    with app.events.default_dispatcher(hostname=worker_name()) as dispatcher:
        dispatcher.send(kind, uuid=job, **fields)


def _notify(job: Job, summary: dict[str, Any]) -> None:
    if job.options.notify:
        task, queue = job.options.notify
        if task in config.OCR_NOTIFY_TASKS:
            app.send_task(task, args=[summary], queue=queue, ignore_result=True)
        else:
            log.warning("job=%s names the task %s, which OCR_NOTIFY_TASKS does not allow", job.id, task)
