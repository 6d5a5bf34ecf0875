"""The command `revoke` (Flower's button, `AsyncResult.revoke`): of a job's id, it cancels the job."""

from collections.abc import Iterable
from typing import Any

from celery.worker import control

from ocrqueue import names
from worker.context import redis
from worker.keeper import Loss, losses


@control.control_command(name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: str | Iterable[str], **how: Any) -> Any:
    """Celery's own would store "revoked" under the job's id while the job goes on; other tasks are left to it."""
    ids = {task_id} if isinstance(task_id, str) else set(task_id)
    jobs = _jobs(ids)
    answer = control.revoke(state, list(ids - jobs), **how)
    for job in jobs | _jobs(ids - jobs):  # one may have been accepted just now, before its REVOKED was there to be seen
        losses.put(Loss(job, "", "cancel"))
    return answer


def _jobs(ids: set[str]) -> set[str]:
    return {i for i in ids if redis().exists(names.job_key(i))}
