"""Remote control: what a worker's parent does when it is asked to."""

import json
import os
from contextlib import suppress
from typing import Any

from celery.worker.control import control_command

from ocrqueue import names
from worker import context, warden
from worker.child import TOLD


@control_command(name=names.UNLOAD)
def unload(state: Any, **_: Any) -> dict[str, Any]:
    """Tell every child to free its models: at once, or where it is in the middle of a task right after it.

    Returns how often each of them has done so before, by process id: it has obeyed once its row counts one more.
    """
    return {"worker": context.worker_id(), "children": tell_children(warden.children(state.consumer.pool))}


def tell_children(pids: list[int]) -> dict[str, int]:
    """Only those that have shown themselves: one that is still starting would not know what the signal means."""
    told = {}
    for pid in pids:
        row = context.redis().get(names.child_key(context.worker_id(), pid))
        if row:
            with suppress(ProcessLookupError):
                os.kill(pid, TOLD)
                told[str(pid)] = int(json.loads(str(row)).get("freed", 0))
    return told
