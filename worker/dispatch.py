"""What follows from a ledger step: messages are sent, and the end of a job is published."""

import logging
from collections.abc import Iterable
from typing import Any

from celery.app.task import Task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

import worker_config as config
from ocrqueue.errors import OcrError
from ocrqueue.ledger import Job, Message, Publication
from ocrqueue.ledger.messages import Sender, send, send_format
from ocrqueue.states import JobState, MessageKind
from ocrqueue.steps.end import publish_end, record_end
from ocrqueue.webhooks.events import end_data, end_event
from worker.app import app
from worker.context import ledger, spool
from worker.publication.outbox import entries_of
from worker.publication.results import encode_result, show_end

log = logging.getLogger(__name__)


def dispatch(messages: Iterable[Message]) -> None:
    """Send the messages of a ledger step. If that fails, the reconciler sends them again later."""
    messages = list(messages)
    try:
        send(app, messages)
    except (RedisError, OperationalError) as e:
        log.warning("messages could not be sent (%s); the reconciler sends them again", e)
    for message in messages:
        if message.kind == MessageKind.ENDED:
            try:
                _publish(message.job)
            except (OcrError, OSError, RedisError, OperationalError) as e:
                log.warning("job=%s: its end could not be published: %s; trying again later", message.job, e)


def pass_on(task: Task) -> None:
    """Send the message that a task was called with again, for another worker: with all that it had.

    If that fails, the reconciler sends one later.
    """
    request = task.request
    about = request.delivery_info or {}
    try:
        app.send_task(
            task.name,
            args=request.args,
            kwargs=request.kwargs,
            queue=about.get("routing_key"),
            priority=about.get("priority"),
            argsrepr=request.argsrepr,
            kwargsrepr=request.kwargsrepr,
            ignore_result=request.ignore_result,
            declare=[],  # see `ocrqueue.ledger.messages`
        )
    except (RedisError, OperationalError) as e:
        log.warning("a message could not be passed on (%s); the reconciler sends one", e)


def _publish(job: str) -> None:
    end = publish_end(job, ledger(), _encode)
    if end is None:
        log.info("job=%s: there is no end to publish: the job has been retried or removed", job)
        return
    if end.first:  # before the spool, which may fail: a later call is not the first
        show_end(end.job, end.summary)
        send(app, end.messages)
    record_end(end, ledger(), spool())
    record = end.job
    log.info(
        "job=%s %s pages=%s ok=%d failed=%d cancelled=%d seconds=%.1f",
        job, record.state, record.pages, record.ok, record.failed, record.cancelled, end.summary["seconds"],
    )  # fmt: skip


def _encode(job: Job, summary: dict[str, Any]) -> Publication:
    """The end of a job as the ledger publishes it: Celery's result, and the messages to tasks."""
    formats = job.options.formats if job.state != JobState.FAILED or job.pages is not None else ()
    notify = job.options.notify
    if notify and notify[0] not in config.OCR_NOTIFY_TASKS:
        log.warning("job=%s names the task %s, which OCR_NOTIFY_TASKS does not allow", job.id, notify[0])
        notify = None

    def send_all(outbox: Sender) -> None:
        for format in formats:
            send_format(outbox, job, format)
        if notify:
            outbox.send_task(notify[0], args=[summary], queue=notify[1], ignore_result=True)

    entries = entries_of(send_all) if formats or notify else []
    return Publication(
        encode_result(job, summary),
        int(app.backend.expires),
        entries,
        event=end_event(job.state),
        data=end_data(job, summary),
    )
