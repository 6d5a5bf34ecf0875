"""The worker's consumer of messages. It drops one that cannot be used, logs that in one line and counts it.

Kombu takes the envelope apart (`ocrqueue.ledger.broker`), Celery finds the task and makes a request, `worker.messages`
looks at headers and body. Whatever any of them raises for a message means that it is malformed, except errors of Redis.
"""

import logging
from contextlib import suppress
from typing import Any

from celery.exceptions import NotRegistered
from celery.worker import consumer
from redis.exceptions import DataError, RedisError

from ocrqueue.ledger import figures
from ocrqueue.ledger.broker import watch_broker
from worker import context

log = logging.getLogger(__name__)
SHOWN = 300  # characters of a reason that the log shows


def drop(why: str) -> None:
    """Log and count a message that is dropped. `why` may hold what the message's sender wrote."""
    shown = "".join(letter if letter.isprintable() else " " for letter in why[:SHOWN])
    log.warning("a message was dropped: %s", shown)
    with suppress(RedisError):
        figures.count(context.redis(), "messages", "dropped")


watch_broker(drop)


class Consumer(consumer.Consumer):
    """Celery's consumer, which ends the worker for some messages, and writes some twenty lines for others."""

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        """Returns the function that is called with each message."""
        handle = super().create_task_handler(*args, **options)

        def handle_message(message: Any) -> None:
            try:
                handle(message)
            except DataError as e:  # redis-py refuses what the message names
                self._drop(message, e)
            except (RedisError, OSError):
                raise
            except Exception as e:  # noqa: BLE001 -- a sender may write anything
                self._drop(message, e)

        return handle_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Its body cannot be decoded."""
        self._drop(message, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002 -- Celery's interface
        """It names no task."""
        self._drop(message, "it names no task")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Celery refuses its headers or its body."""
        self._drop(message, exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """There is no such task here. Its sender gets an answer, as from Celery."""
        task, id = message.headers["task"], message.headers.get("id")
        self._drop(message, f"there is no task {task!r}")
        if isinstance(id, str):
            self.app.backend.mark_as_failure(id, NotRegistered(str(task)))

    def _drop(self, message: Any, why: Exception | str) -> None:
        if not message.acknowledged:
            message.reject_log_error(log, self.connection_errors)
        queue = message.delivery_info.get("routing_key") if isinstance(message.delivery_info, dict) else None
        why = why if isinstance(why, str) else f"{type(why).__name__}: {why}"
        drop(f"queue {queue!r}, task {str(message.headers.get('task'))[:80]!r}: {why}")
