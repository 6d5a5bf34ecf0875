"""Celery messages as the entries of Redis lists, so that a script can send them together with other changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.result import denied_join_result

from worker.app import app


class _Recorder:
    """A Redis client that keeps what is pushed to lists, and passes on every other command."""

    def __init__(self, client: Any, entries: list[tuple[str, str]]) -> None:
        self._client = client
        self._entries = entries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def lpush(self, key: str, entry: str) -> None:
        """Keep an entry of a list."""
        self._entries.append((key, entry))


class Outbox:
    """Takes the place of a Celery application: messages that are sent through it are kept as list entries."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> None:
        """Keep a message; the options are those of Celery's `send_task`."""
        app.send_task(name, args, kwargs, producer=self._producer, retry=False, **options)


def entries_of(send: Callable[[Outbox], None]) -> list[tuple[str, str]]:
    """The messages that `send` sends, as (Redis list, entry). Raises kombu's OperationalError."""
    entries: list[tuple[str, str]] = []
    with app.connection_for_write() as connection, connection.channel() as channel:
        original = channel.conn_or_acquire

        @contextmanager
        def recorded(client: Any = None) -> Iterator[Any]:
            with original(client) as real:
                yield _Recorder(real, entries)

        channel.conn_or_acquire = recorded
        with denied_join_result():  # this process does not wait for the results of these tasks
            send(Outbox(app.amqp.Producer(channel)))
    return entries
