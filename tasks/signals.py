"""What happens around the tasks: a worker comes and goes, a child comes, a task ends."""

import logging
import os
import uuid
from typing import Any

from celery.signals import (
    after_setup_logger,
    beat_init,
    celeryd_init,
    task_postrun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

import worker_config as config
from ocrqueue import names
from ocrqueue.errors import ModelUnavailable, StorageError
from ocrqueue.memory import give_back, memory_now
from tasks import context
from tasks.keeper import ANNOUNCED, Keeper, child_row

log = logging.getLogger(__name__)
SERVED = "OCR_SERVED"  # how a worker's parent tells its children which engines' queues it takes
_keeper: Keeper | None = None
_tasks = 0  # done by this child


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
    """Before the children start: the spool is there, and they know what to load."""
    try:
        context.spool().prepare()
        context.spool().check()
    except StorageError as e:
        raise SystemExit(f"ocr: {e.message}") from None
    queues = sender.app.amqp.queues.consume_from
    os.environ[SERVED] = ",".join(name for name in config.SERVED if names.pages_queue(name) in queues)


@worker_ready.connect
def start_keeper(sender: Any, **_: Any) -> None:
    """The parent starts to keep its children's claims."""
    global _keeper
    _keeper = Keeper(sender, context.worker_id())
    _keeper.start()


@worker_shutdown.connect
def end_keeper(**_: Any) -> None:
    """What was not finished goes back."""
    if _keeper is not None:
        _keeper.end()


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """A child loads its models once, before its first page. Raises nothing: Celery would swallow it."""
    served = [name for name in os.environ.get(SERVED, "").split(",") if name]
    if config.OCR_PRELOAD:
        for engine in served:
            try:
                context.engines().get(engine)
            except ModelUnavailable as e:
                log.error("%s: %s", e.code, e.message)  # noqa: TRY400 -- an expected error, no traceback
    _show_child()


@worker_process_shutdown.connect
def end_child(**_: Any) -> None:
    """Models are freed."""
    context.engines().free()


@task_postrun.connect
def after_task(**_: Any) -> None:
    """Every task gives its memory back."""
    global _tasks
    _tasks += 1
    give_back()
    _show_child()


def _show_child() -> None:
    """The child's row in Redis, for whoever watches memory."""
    engines = context.engines()
    models = {name: model.name for name, model in engines.loaded.items()}
    row = child_row(engines.loads, _tasks, models, engines.last_used, memory_now()["rss"])
    key = names.child_key(context.worker_id(), os.getpid())
    try:
        context.redis().set(key, row, ex=int(ANNOUNCED))
    except OSError as e:
        log.warning("the state of this child could not be shown: %s", e)
