"""Remote control: commands that a worker's parent process carries out (`celery control`, Flower, the client)."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from celery.worker import control

from ocrqueue import names
from worker import context
from worker.child import UNLOAD
from worker.parent import keeper, warden


@control.control_command(name=names.UNLOAD)
def unload(state: Any, **_: Any) -> dict[str, Any]:
    """Tell every child to free its models: an idle one does so at once, a busy one after its task.

    Returns how often each child has done so before, by process id. The number in its row in Redis grows by one when it
    has done so again.
    """
    return {"worker": context.worker_id(), "children": signal_children(warden.children(state.consumer.pool))}


def signal_children(pids: list[int]) -> dict[str, int]:
    """Signal those that have a row in Redis. A child that is still starting has no handler for the signal yet."""
    freed = {}
    for pid in pids:
        row = context.redis().get(names.child_key(context.worker_id(), pid))
        if row:
            with suppress(ProcessLookupError):
                os.kill(pid, UNLOAD)
                freed[str(pid)] = int(json.loads(str(row)).get("freed", 0))
    return freed


@control.control_command(name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: str | Iterable[str], **how: Any) -> Any:
    """Celery's command `revoke` (Flower's button, `AsyncResult.revoke`), which cancels a job whose id is given.

    Celery's own command would store "revoked" under the job's id while the job goes on. It handles all other ids.
    """
    ids = {task_id} if isinstance(task_id, str) else set(task_id)
    jobs = _jobs(ids)
    answer = control.revoke(state, list(ids - jobs), **how)
    for job in jobs | _jobs(ids - jobs):  # again: a job may have been accepted meanwhile, before it saw the REVOKED
        keeper.cancel(job)
    return answer


def _jobs(ids: set[str]) -> set[str]:
    return {i for i in ids if context.redis().exists(names.job_key(i))}
