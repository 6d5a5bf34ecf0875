"""Celery's signals: what happens when a worker, a child or a task starts and ends."""

import logging
import os
import signal
import uuid
import warnings
from typing import Any

from celery.exceptions import CPendingDeprecationWarning
from celery.signals import (
    after_setup_logger,
    beat_init,
    celeryd_init,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from kombu import Exchange, Queue

import worker_config as config
from ocrqueue import names
from ocrqueue.errors import ModelDirectoryError, StorageError
from ocrqueue.settings import unknown_variables
from worker import child, context
from worker.app import app
from worker.checks import check_engines, check_server, check_spool
from worker.engines import page_time_limit
from worker.parent import liveness, warden
from worker.parent.keeper import Closing, Keeper

log = logging.getLogger(__name__)
_keeper: Keeper | None = None
app.steps["worker"].add(Closing)
app.steps["consumer"].add(liveness.Listening)


@after_setup_logger.connect
def quieten(**_: Any) -> None:
    """Silence Celery's two lines per message, which name only the message. Our lines name the job and the page."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@beat_init.connect
def prepare_beat(sender: Any, **_: Any) -> None:
    """Make the data folder, in which beat keeps its schedule. Beat sends no events: they would fill Flower's list.

    Each message gets a producer of Celery's pool. Beat's own one would keep a channel that was closed when Redis failed
    over, and send nothing any more.
    """
    config.OCR_DATA_DIR.mkdir(parents=True, exist_ok=True)
    sender.app.conf.task_send_sent_event = False
    sender.scheduler.producer = None


@celeryd_init.connect
def name_worker(sender: str, **_: Any) -> None:
    """Give the worker an id that is new at every start, so that nothing of an earlier worker is taken for its own."""
    os.environ[context.WORKER_ID] = uuid.uuid4().hex
    os.environ[context.WORKER_NAME] = sender


@worker_init.connect
def prepare(sender: Any, **_: Any) -> None:
    """Before the children start: check the engines and the spool, make the lock, and name the engines to load."""
    queues = sender.app.amqp.queues.consume_from
    served = [name for name, queue in config.QUEUES.items() if queue in queues]
    check_engines(served)
    check_server()
    try:
        context.spool().prepare()
        context.spool().check()
        check_spool(context.spool())
        if not context.spool().is_local:
            context.source_copies().start()
        context.claim_lock()
        liveness.prepare(context.worker_name() or "")
    except StorageError as e:
        raise SystemExit(f"ocr: {e.message}") from None
    except OSError as e:
        why = f"OCR_DATA_DIR={config.OCR_DATA_DIR} cannot be written ({e.strerror})"
        raise SystemExit(f"ocr: {why}; let this user write there, or name another folder") from None
    os.environ[child.SERVED] = ",".join(served)
    sender.app.tasks[names.PAGE].time_limit = page_time_limit(served)
    if served:
        take_models_queue(sender.app)
    else:  # to start a child takes as long as many of its tasks
        sender.app.conf.worker_max_tasks_per_child = 10 * config.OCR_MAX_TASKS_PER_CHILD
    signal.signal(child.UNLOAD, signal.SIG_IGN)  # or it would end a child that has no handler yet


def take_models_queue(app: Any) -> None:
    """Read the queue of this machine's model directory too, as every worker that reads pages does."""
    try:
        queue = names.models_queue(context.models().id)
    except ModelDirectoryError as e:
        log.warning("%s; it is not audited", e.message)
    else:
        app.amqp.queues.select_add(Queue(queue, Exchange(queue), queue))


@worker_ready.connect
def start_keeper(sender: Any, **_: Any) -> None:
    """Start the keeper and the warden in the parent process."""
    global _keeper
    warnings.simplefilter("ignore", CPendingDeprecationWarning)  # at each connection, about what worker_config sets
    for line in unknown_variables():
        log.warning(line)
    warden.start(sender.pool)
    _keeper = Keeper(sender, context.worker_id())
    _keeper.start()


@worker_shutdown.connect
def end_keeper(**_: Any) -> None:
    """Return the claims that are not finished, and remove the copies of documents."""
    if _keeper is not None:
        _keeper.end()
        liveness.sign.end()
    context.source_copies().stop()


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """A child process starts: load its models."""
    child.start()


@task_prerun.connect
def before_task(**_: Any) -> None:
    """A task starts."""
    child.before_task()


@task_postrun.connect
def after_task(task: Any = None, args: Any = None, **_: Any) -> None:
    """A task has ended: free its memory."""
    child.after_task(task, args)


@worker_process_shutdown.connect
def end_child(**_: Any) -> None:
    """A child process ends: free its models."""
    child.end()
