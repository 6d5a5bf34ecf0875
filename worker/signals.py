"""What happens around the tasks: a worker comes and goes, a child comes, a task ends."""

import logging
import os
import signal
import uuid
from typing import Any

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
from ocrqueue.settings import unheard
from worker import child, context, warden
from worker.app import app
from worker.checks import check_engines
from worker.keeper import Closing, Keeper

log = logging.getLogger(__name__)
_keeper: Keeper | None = None
app.steps["worker"].add(Closing)


@after_setup_logger.connect
def quieten(**_: Any) -> None:
    """Celery's two lines a message name a message; ours name the job and the page."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@beat_init.connect
def prepare_beat(**_: Any) -> None:
    """Beat keeps its schedule in the data folder."""
    config.OCR_DATA_DIR.mkdir(parents=True, exist_ok=True)


@celeryd_init.connect
def name_worker(sender: str, **_: Any) -> None:
    """A worker's id is new at every start, so that nothing of an earlier one is taken for it."""
    os.environ[context.WORKER_ID] = uuid.uuid4().hex
    os.environ[context.WORKER_NAME] = sender


@worker_init.connect
def prepare(sender: Any, **_: Any) -> None:
    """Before the children start: the engines, the spool and their lock are there, and they know what to load."""
    queues = sender.app.amqp.queues.consume_from
    served = [name for name, queue in config.QUEUES.items() if queue in queues]
    check_engines(served)
    try:
        context.spool().prepare()
        context.spool().check()
        context.beside()
    except StorageError as e:
        raise SystemExit(f"ocr: {e.message}") from None
    except OSError as e:
        why = f"OCR_DATA_DIR={config.OCR_DATA_DIR} cannot be written ({e.strerror})"
        raise SystemExit(f"ocr: {why}; let this user write there, or name another folder") from None
    os.environ[child.SERVED] = ",".join(served)
    if served:
        take_models_queue(sender.app)
    signal.signal(child.TOLD, signal.SIG_IGN)  # a child that is still starting must not end of it


def take_models_queue(app: Any) -> None:
    """A worker that reads pages also takes the messages for this machine's model directory."""
    try:
        queue = names.models_queue(context.models().id)
    except ModelDirectoryError as e:
        log.warning("%s; it is not audited", e.message)
    else:
        app.amqp.queues.select_add(Queue(queue, Exchange(queue), queue))


@worker_ready.connect
def start_keeper(sender: Any, **_: Any) -> None:
    """The parent starts to keep its children's claims, and to measure them."""
    global _keeper
    for line in unheard():
        log.warning(line)
    warden.start(sender.pool)
    _keeper = Keeper(sender, context.worker_id())
    _keeper.start()


@worker_shutdown.connect
def end_keeper(**_: Any) -> None:
    """What was not finished goes back."""
    if _keeper is not None:
        _keeper.end()


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """A child loads its models once, before its first page."""
    child.start()


@task_prerun.connect
def before_task(**_: Any) -> None:
    """A child is busy."""
    child.before_task()


@task_postrun.connect
def after_task(task: Any = None, args: Any = None, **_: Any) -> None:
    """Every task gives its memory back."""
    child.after_task(task, args)


@worker_process_shutdown.connect
def end_child(**_: Any) -> None:
    """Models are freed."""
    child.end()
