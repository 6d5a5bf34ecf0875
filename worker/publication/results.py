"""What a program that uses only Celery sees of a job: the result under its id, and the events that Flower shows."""

from contextlib import suppress
from typing import Any

from celery import states
from celery.exceptions import TaskRevokedError
from redis.exceptions import RedisError

from ocrqueue.errors import OcrError, OcrFailed
from ocrqueue.ledger import Job, figures
from ocrqueue.ledger.connection import lead_to_primary
from ocrqueue.states import JobState
from worker.app import app
from worker.context import redis, worker_name


def encode_result(job: Job, summary: dict[str, Any]) -> str:
    """The end of a job as Celery's result backend stores it: the summary, or the exception that `get` raises."""
    backend = app.backend
    if job.state == JobState.CANCELLED:
        state, value = states.REVOKED, TaskRevokedError("the job was cancelled")
    elif job.state == JobState.FAILED:
        state, value = states.FAILURE, _failure(summary)
    else:
        state, value = states.SUCCESS, summary
    stored = backend._get_result_meta(backend.encode_result(value, state), state, None, None)
    return str(backend.encode({**stored, "task_id": job.id}))


def _failure(summary: dict[str, Any]) -> OcrFailed:
    return OcrFailed(f"{summary['error']['code']}: {summary['error']['message']}")


def show_end(job: Job, summary: dict[str, Any]) -> None:
    """Send the event that ends the job's task in Flower."""
    if job.state == JobState.CANCELLED:
        _send_event("task-revoked", job.id, terminated=False, signum=None, expired=False)
    elif job.state == JobState.FAILED:
        _send_event("task-failed", job.id, exception=repr(_failure(summary)), traceback="")
    else:
        result = f"{job.state}: {_progress(job.ok, job.failed, job.pages)}"
        _send_event("task-succeeded", job.id, result=result, runtime=summary["seconds"])


def show_progress(job: str, reply: dict[str, Any]) -> None:
    """Send the event that shows in Flower how many pages are read. `reply` is the answer of the ledger's `finish`."""
    _send_event("task-progress", job, result=_progress(reply["ok"], reply["failed"], reply["n"]))


def _progress(ok: int, failed: int, pages: int | None) -> str:
    return f"{ok} of {pages} pages read" + (f", {failed} failed" if failed else "")


def turn_away(job: str, why: OcrError) -> None:
    """Store an error under the id of a message for which no job is made, so that its sender gets an answer."""
    error = OcrFailed(f"{why.code}: {why.message}")
    with suppress(RedisError):  # Redis may be full
        figures.count(redis(), "refused", why.code)
        _backend().store_result(job, error, states.FAILURE)
        _send_event("task-failed", job, exception=repr(error), traceback="")


def forget_result(job: str) -> bool:
    """Remove the result under the id of a new job. If it says that the task was revoked, keep it and return True."""
    if _backend().get_task_meta(job, cache=False)["status"] == states.REVOKED:
        return True
    _backend().forget(job)
    return False


def _backend() -> Any:
    """Celery's results, in the server that takes writes."""
    lead_to_primary(app.backend.client)
    return app.backend


def _send_event(kind: str, job: str, **fields: Any) -> None:
    with app.events.default_dispatcher(hostname=worker_name()) as dispatcher:
        dispatcher.send(kind, uuid=job, **fields)
