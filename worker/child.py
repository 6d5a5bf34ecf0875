"""What a worker's child process does besides its tasks: it loads models, frees their memory, and reports its state.

After a page, and after a task of another kind at most once a second, it returns memory to the system and reports.
It frees its models when it was idle for OCR_IDLE_SECONDS, after every task if OCR_RELEASE=task, when the parent
process asks for it (signal SIGUSR2), and when it ends. While a task runs, each of these waits until the task has ended.
"""

import json
import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from billiard import pool
from billiard.einfo import ExceptionInfo
from billiard.reduction import register
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import documents, names
from ocrqueue.errors import ModelUnavailable
from ocrqueue.process.memory import give_back, memory_now, settle
from ocrqueue.structure import free_models
from worker import context

log = logging.getLogger(__name__)
SERVED = "OCR_SERVED"  # environment variable: the engines whose queues the worker reads, separated by commas
UNLOAD = signal.SIGUSR2  # the parent asks the child to free its models
TRACEBACK = 4000  # characters of a traceback that the parent gets; the child has logged all of it
TIDY_SECONDS = 1.0  # between two times that memory is returned and the state reported, while tasks are short
_busy = True  # until `start` has ended, and while a task runs
_unload_asked = False  # the parent asked for it while the child was busy
_tasks = 0  # that this child has ended
_tidied = 0.0  # monotonic time at which memory was last returned and the state reported
_reported = -1  # of them when the state was last reported
_freed = 0  # how often the child freed its models because the parent asked


def _brief(error: ExceptionInfo) -> tuple[Any, ...]:
    """What is sent to the parent of an error: its text without frames. An ignored task ends in an error too.

    With frames an error takes 30 to 90 KB, which are written in several parts. If the connection to the broker breaks
    between two of them, Celery drops the first, cannot decode the next, and never reads from this child again.
    """
    raised = getattr(error.exception, "exc", error.exception)
    state = {**vars(error), "tb": None, "exception": raised, "traceback": error.traceback[-TRACEBACK:]}
    return ExceptionInfo.__new__, (ExceptionInfo,), state


register(ExceptionInfo, _brief)
# How often a child that ends looks, every 0.1 s, whether its parent has all its results; 300 by default. A parent that
# got SIGTERM just after it had passed on a message never takes that message's result, and the child waited for 30 s.
pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20


def start() -> None:
    """Load the models before the first page. Raises nothing, because Celery would swallow it."""
    if config.OCR_PRELOAD and config.OCR_RELEASE != "task":
        for engine in [name for name in os.environ.get(SERVED, "").split(",") if name]:
            try:
                context.engines().get(engine)
            except ModelUnavailable as e:
                log.error("%s: %s", e.code, e.message)  # noqa: TRY400 -- an expected error, no traceback
    signal.signal(UNLOAD, _on_unload)
    documents.preload()  # before `settle`: collections that look at PyMuPDF's objects take 20 ms after every task
    settle()
    report()
    _rest()


def before_task() -> None:
    """A task begins: nothing is freed until it has ended."""
    global _busy
    _busy = True
    signal.setitimer(signal.ITIMER_REAL, 0)


def after_task(task: Any, args: Any) -> None:
    """A task has ended: free the memory that it used."""
    global _tasks
    _tasks += 1
    if config.OCR_RELEASE == "task":
        _free_models()
    if getattr(task, "name", "") == names.PAGE:
        _tidy()
        used = " ".join(f"{name}={count}" for name, count in memory_now().items())
        job = args[0] if args else ""
        log.info("job=%s memory %s tasks=%d loads=%d", job, used, _tasks, context.engines().loads)
    elif time.monotonic() - _tidied >= TIDY_SECONDS:
        _tidy()
    _rest()


def end() -> None:
    """The child ends: free its models."""
    before_task()
    _free_models()


def _free_models() -> None:
    """Free the models of the engines, and those that find the structure of pages."""
    context.engines().free()
    free_models()


def _tidy() -> None:
    """Return unused memory to the system, and report."""
    global _tidied
    give_back()
    report()
    _tidied = time.monotonic()


def _rest() -> None:
    """The child is idle: free the models if the parent has asked for it, or start a timer.

    The timer frees the models; or it tidies up first, if that was left out after the last task.
    """
    global _busy
    _busy = False
    if _unload_asked:
        _free()
    elif _reported != _tasks:
        _start_timer(TIDY_SECONDS, _on_rest)
    elif config.OCR_IDLE_SECONDS and context.engines().loaded:
        _start_timer(config.OCR_IDLE_SECONDS, _on_idle)


def _start_timer(seconds: float, handler: Callable[..., None]) -> None:
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _on_rest(*_: Any) -> None:
    global _busy
    if not _busy:
        _busy = True  # a request to free the models waits meanwhile
        _tidy()
        _rest()


def _on_unload(*_: Any) -> None:
    global _unload_asked
    _unload_asked = True
    if not _busy:
        _free()


def _on_idle(*_: Any) -> None:
    if not _busy:
        log.info("idle for %d s: its models are freed", config.OCR_IDLE_SECONDS)
        _free()


def _free() -> None:
    """Free all models. Raises nothing: it runs in a signal handler."""
    global _unload_asked, _freed
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        _free_models()
        give_back()
    except Exception:
        log.exception("a model could not be freed")
    if _unload_asked:
        _unload_asked = False
        _freed += 1
        log.info("its models are freed, as it was asked")
    report()


def report() -> None:
    """Write this child's row in Redis, which `submit.py models memory` shows."""
    global _reported
    _reported = _tasks
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
        log.warning("the state of this child could not be written to Redis: %s", e)
