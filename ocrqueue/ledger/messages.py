"""Sends the messages of a ledger step through the caller's Celery application.

Messages have ids and numbers, and no document bytes. The reconciler sends a lost message again.
"""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ocrqueue import names
from ocrqueue.ledger import Job, Message
from ocrqueue.ledger.connection import FAILOVER, WritesRefused
from ocrqueue.states import MessageKind

_PAUSE = 0.3  # seconds until refused messages are sent again
_EXPIRES = 60  # seconds after which a worker ignores a message about deliveries; the reconciler sends more


class Sender(Protocol):
    """The part of a Celery application that this module uses."""

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Publish a message."""
        ...


class Application(Sender, Protocol):
    """A Celery application."""

    def producer_or_acquire(self) -> AbstractContextManager[Any]:
        """A producer of its pool, until the block ends."""
        ...


def send(app: Application, messages: Iterable[Message]) -> None:
    """Publish the messages of a ledger step. Flower shows a short text instead of their arguments.

    If the server takes no writes, it waits for some seconds until another one is the primary.
    """
    from kombu.exceptions import OperationalError

    every = list(messages)
    end = time.monotonic() + FAILOVER
    while every:
        try:
            _send_all(app, every)
            break
        except OperationalError as e:
            if not isinstance(e.__cause__, WritesRefused) or time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def _send_all(app: Application, messages: list[Message]) -> None:
    from kombu.exceptions import BatchPublishError

    try:
        with app.producer_or_acquire() as producer, producer.batch():  # one round trip, with the events for Flower
            for message in messages:
                _send_one(app, message, producer=producer)
    except (BatchPublishError, RuntimeError):  # the connection was lost; this way Celery makes a new one
        for message in messages:
            _send_one(app, message)


def _send_one(app: Sender, message: Message, **options: Any) -> None:
    if message.kind == MessageKind.DOCUMENT:
        shown = f"({message.name})"
        _send(app, names.DOCUMENT, message, [], names.DOCUMENTS_QUEUE, shown, task_id=message.job, **options)
    elif message.kind == MessageKind.PAGE and message.queue:
        args = [message.job, *message.args]
        shown = f"({message.name}, lane {message.args[0]}, turn {message.args[1]})"
        _send(app, names.PAGE, message, args, message.queue, shown, ignore_result=True, **options)
    elif message.kind == MessageKind.ASSEMBLE:
        args, shown = [message.job, *message.args], f"({message.name})"
        _send(app, names.ASSEMBLE, message, args, names.DOCUMENTS_QUEUE, shown, ignore_result=True, **options)
    elif message.kind == MessageKind.DELIVER:
        options |= {"ignore_result": True, "expires": _EXPIRES}
        _send(app, names.DELIVER, message, [], names.MAINTENANCE_QUEUE, "()", **options)


def send_format(app: Sender, job: Job, format: str) -> None:
    """Publish the message that asks a worker to make a format of a job's result."""
    message = Message(MessageKind.FORMAT, job.id, priority=names.PRIORITIES[job.options.priority], version=job.version)
    task_id = names.format_id(job.id, job.round, format)
    shown = f"({job.source.name[:80]}, {format})"
    _send(app, names.FORMAT, message, [job.id, format], names.DOCUMENTS_QUEUE, shown, task_id=task_id)


def send_image(app: Sender, job: Job, file: str, args: list[int | str | None]) -> None:
    """Publish the message that asks a worker to make an image of a page; `args` as of the task, without the job."""
    high = names.PRIORITIES["high"]  # somebody looks at the page now
    message = Message(MessageKind.IMAGE, job.id, priority=high, version=job.version)
    task_id = names.format_id(job.id, job.round, file)
    shown = f"({job.source.name[:80]}, {file})"
    _send(app, names.IMAGE, message, [job.id, *args], names.DOCUMENTS_QUEUE, shown, task_id=task_id)


def _send(app: Sender, task: str, message: Message, args: list[Any], queue: str, shown: str, **options: Any) -> None:
    app.send_task(
        task,
        args=args,
        kwargs={"version": message.version},
        queue=queue,
        priority=message.priority,
        argsrepr=shown,
        kwargsrepr="{}",
        declare=[],  # a list in Redis needs no declaration, and kombu does not recover from one that fails
        **options,
    )
