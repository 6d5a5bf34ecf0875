"""`python -m tests.support.saboteur worker`: a worker that dies at a chosen point, or that has a fault.

Files in the folder TEST_TRAPS set it off. A file named after one of `POINTS` kills the next process that reaches this
point, or sends it the signal whose number is in the file. `full` makes the disk look full for files of the spool whose
path contains its text, where no small file system can be mounted for that. `unforeseen`
makes plain messages fail with an error that nobody expects.
With TEST_UNCHECKED_CLAIMS, `finish` counts pages whether or not the claim is live; with TEST_VERSION, the worker is of
that version; with TEST_CRASHES, it ends when Redis refuses a command; with TEST_HANGS, it does not end.
"""

import errno
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from celery import bootsteps

from ocrqueue import engines
from ocrqueue.ledger import scripts
from ocrqueue.storage import base as storage
from tasks.app import main
from tests.support import newer
from worker import messages
from worker.app import app
from worker.parent import keeper

POINTS = {
    "opened": "tasks.document:dispatch",  # the pages are in the ledger; no ticket has been sent
    "assembling": "worker.steps:assemble_job",  # the assembly has its claim
    "assembled": "ocrqueue.ledger:Ledger.end",  # the result is written, the job has not ended
    "making": "worker.steps:make_format",  # a format is about to be made
    "ended": "worker.steps:dispatch",  # the job has ended; its end has not been published
    "encoded": "ocrqueue.ledger:Ledger.publish",  # the job has ended; its result is encoded and not yet published
    "published": "worker.dispatch:record_end",  # clients see the end; the job's folder does not say so
    "recorded": "ocrqueue.ledger:Ledger.confirm_end",  # the folder says so; the end still counts as unpublished
    "calling": "ocrqueue.webhooks.sender:call",  # a delivery is claimed; it has not been sent
    "called": "ocrqueue.ledger.deliveries:Deliveries.settle",  # it has been sent; the ledger does not know
    "read": "tasks.page:dispatch",  # a page is counted; the lane's next ticket has not been sent
}
_CHECK = "if not kind then return reply({stale = true}) end"
_UNCHECKED = """if not kind then
  lane, numbers = 0, {}
  for n in pairs(results) do numbers[#numbers + 1] = tonumber(n) end
end"""


def _guarded(original: Callable[..., Any], trap: Path) -> Callable[..., Any]:
    @wraps(original)
    def step(*args: Any, **more: Any) -> Any:
        with suppress(FileNotFoundError):
            number = int(trap.read_text() or signal.SIGKILL)
            trap.unlink()
            os.kill(os.getpid(), number)
        return original(*args, **more)

    return step


def _set_traps(folder: Path) -> None:
    for name, point in POINTS.items():
        module, _, path = point.partition(":")
        *parents, last = path.split(".")
        owner: Any = import_module(module)
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, last, _guarded(getattr(owner, last), folder / name))


def _check_no_claims() -> None:
    checked = scripts.source
    assert _CHECK in checked("finish")
    scripts.source = lambda name: checked(name).replace(_CHECK, _UNCHECKED) if name == "finish" else checked(name)


def _fill_disk(sign: Path) -> None:
    write = storage._File.write

    def full(file: Any, data: Any) -> int:
        if sign.exists() and sign.read_text() in file.path:
            try:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                storage.fail(file.path, error)
        return write(file, data)

    storage._File.write = full  # type: ignore[method-assign]


def _fail_unforeseen(sign: Path) -> None:
    accept = messages.accept

    def failing(*args: Any) -> bool:
        if sign.exists():
            raise RuntimeError("the test wants it")
        return accept(*args)

    messages.accept = failing


class Hanging(bootsteps.StartStopStep):
    """A step of the worker that never stops."""

    def stop(self, parent: Any) -> None:  # noqa: ARG002 -- Celery's interface
        """Does not return."""
        while True:
            time.sleep(60)


engines.ENGINES["quick"] = "tests.support.engines:Quick"  # known even if no live worker serves it
if "TEST_TRAPS" in os.environ:
    _set_traps(Path(os.environ["TEST_TRAPS"]))
    _fill_disk(Path(os.environ["TEST_TRAPS"]) / "full")
    _fail_unforeseen(Path(os.environ["TEST_TRAPS"]) / "unforeseen")
if "TEST_VERSION" in os.environ:
    newer.become(int(os.environ["TEST_VERSION"]))
if "TEST_UNCHECKED_CLAIMS" in os.environ:
    _check_no_claims()
if "TEST_CRASHES" in os.environ:
    app.conf.broker_channel_error_retry = False
if "TEST_HANGS" in os.environ:
    app.steps["worker"].add(Hanging)
    keeper.STUCK = 4.0  # seconds

if __name__ == "__main__":
    main()
