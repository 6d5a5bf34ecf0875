"""What a worker child does besides its tasks: it loads its models, gives their memory back, and shows its state.

A model is freed when the child was idle for OCR_IDLE_SECONDS (a timer of the child's own), after every task with
OCR_RELEASE=task, when the worker's parent says so (SIGUSR2), and at the end. In the middle of a task each of these
waits until it has ended.
"""

import json
import logging
import os
import signal
import time
from typing import Any

from billiard.einfo import ExceptionInfo
from billiard.reduction import register
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import documents, names
from ocrqueue.errors import ModelUnavailable
from ocrqueue.process.memory import give_back, memory_now, settle
from worker import context

log = logging.getLogger(__name__)
SERVED = "OCR_SERVED"  # how a worker's parent tells its children which engines' queues it takes
TOLD = signal.SIGUSR2
TRACEBACK = 4000  # characters that the parent gets of one; the child has logged all of it
_busy = True  # until `start` has ended, and while a task runs
_told = False  # to free its models, while it was busy
_tasks = 0  # done by this child
_freed = 0  # times that it freed its models when told


def _brief(error: ExceptionInfo) -> tuple[Any, ...]:
    """What the parent gets of an error, which a task that was ignored ends in as well: no frames.

    With them it takes 30 to 90 KB, which is written in more than one part. Where the connection to the broker breaks
    between two, Celery forgets the first, cannot make sense of the next, and never reads from this child again.
    """
    raised = getattr(error.exception, "exc", error.exception)
    state = {**vars(error), "tb": None, "exception": raised, "traceback": error.traceback[-TRACEBACK:]}
    return ExceptionInfo.__new__, (ExceptionInfo,), state


register(ExceptionInfo, _brief)


def start() -> None:
    """Load what is to be there before the first page. Raises nothing: Celery would swallow it."""
    if config.OCR_PRELOAD and config.OCR_RELEASE != "task":
        for engine in [name for name in os.environ.get(SERVED, "").split(",") if name]:
            try:
                context.engines().get(engine)
            except ModelUnavailable as e:
                log.error("%s: %s", e.code, e.message)  # noqa: TRY400 -- an expected error, no traceback
    signal.signal(TOLD, _on_told)
    documents.preload()  # before what is loaded is set aside: to collect past PyMuPDF takes 20 ms after every task
    settle()
    _rest()


def before_task() -> None:
    """A task begins: nothing is freed under it."""
    global _busy
    _busy = True
    signal.setitimer(signal.ITIMER_REAL, 0)


def after_task(task: Any, args: Any) -> None:
    """A task has ended: everything that it leaves behind goes back."""
    global _tasks
    _tasks += 1
    if config.OCR_RELEASE == "task":
        context.engines().free()
    give_back()
    if getattr(task, "name", "") == names.PAGE:
        used = " ".join(f"{name}={count}" for name, count in memory_now().items())
        job = args[0] if args else ""
        log.info("job=%s memory %s tasks=%d loads=%d", job, used, _tasks, context.engines().loads)
    _rest()


def end() -> None:
    """The child ends: its models are freed."""
    before_task()
    context.engines().free()


def _rest() -> None:
    """Nothing to do for now."""
    global _busy
    show()
    _busy = False
    if _told:
        _free()
    elif config.OCR_IDLE_SECONDS and context.engines().loaded:
        signal.signal(signal.SIGALRM, _on_idle)
        signal.setitimer(signal.ITIMER_REAL, config.OCR_IDLE_SECONDS)


def _on_told(*_: Any) -> None:
    global _told
    _told = True
    if not _busy:
        _free()


def _on_idle(*_: Any) -> None:
    if not _busy:
        log.info("idle for %d s: its models are freed", config.OCR_IDLE_SECONDS)
        _free()


def _free() -> None:
    """Free all models. Raises nothing: it runs in the handler of a signal."""
    global _told, _freed
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        context.engines().free()
        give_back()
    except Exception:
        log.exception("a model could not be freed")
    if _told:
        _told = False
        _freed += 1
        log.info("its models are freed, as it was told")
    show()


def show() -> None:
    """This child's row in Redis, for whoever watches memory."""
    engines = context.engines()
    row = {
        "tasks": _tasks,
        "loads": engines.loads,
        "models": {name: model.name for name, model in engines.loaded.items()},
        "loaded_since": engines.since,
        "last_used": engines.last_used,
        "freed": _freed,
        **memory_now(),
        "shown": time.time(),
    }
    key = names.child_key(context.worker_id(), os.getpid())
    try:
        context.redis().set(key, json.dumps(row), ex=config.OCR_LEASE_SECONDS)
    except (RedisError, OSError) as e:
        log.warning("the state of this child could not be shown: %s", e)
