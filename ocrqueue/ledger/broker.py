"""Celery's connections for messages: what kombu's Redis transport does differently in this project.

A message only wakes a worker up, and the reconciler sends a lost one again. So messages are not noted in Redis between
their delivery and their acknowledgement: at its memory limit the server would refuse each note, and the worker would
drop the message and connect again, several times a second.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from queue import Empty
from typing import Any

from redis.exceptions import RedisError

from ocrqueue.ledger.connection import to_primary

log = logging.getLogger(__name__)


_drop = partial(log.warning, "a message was dropped: %r")


def watch_broker(drop: Callable[[str], None] = _drop) -> None:
    """Have Celery use these channels, in this process and its children.

    `drop` is told why a message is dropped that is none of kombu's.
    """
    from kombu.transport import redis

    redis.Transport.Channel = _channel(redis.Channel, drop)
    redis.SentinelTransport.Channel = _channel(redis.SentinelChannel, drop)


def _channel(kind: Any, drop: Callable[[str], None]) -> Any:
    """A kind of channel whose servers take writes, which notes no message in Redis, lives and always closes."""

    class Channel(kind):  # type: ignore[misc]
        ack_emulation = False

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.QoS = _counted()

        def _brpop_read(self, **options: Any) -> Any:
            return self._dropping(super()._brpop_read, **options)

        def _receive(self) -> Any:
            return self._dropping(super()._receive)

        def _dropping(self, read: Callable[..., Any], **options: Any) -> Any:
            """What `read` returns. A message that kombu cannot take apart is dropped; its error would end a worker."""
            try:
                return read(**options)
            except (Empty, RedisError, OSError):
                raise
            except Exception as e:  # noqa: BLE001 -- a sender may write anything
                drop(f"{type(e).__name__}: {e}")
                return True

        def _connparams(self, *args: Any, **options: Any) -> dict[str, Any]:
            params = super()._connparams(*args, **options)
            return {**params, "connection_class": to_primary(params["connection_class"])}

        def close(self) -> None:
            """Close it with its connections to Redis."""
            _close(self, super().close)

    return Channel


@cache
def _counted() -> Any:
    """A kind of memory for the messages that a channel has delivered, but not acknowledged."""
    from kombu.transport.virtual import QoS

    class Counted(QoS):  # type: ignore[misc]
        def restore_unacked(self) -> list[Any]:
            """Put them back. The reconciler sends those again that cannot be; kombu would write them to a file."""
            super().restore_unacked()
            return []

    return Counted


def _close(channel: Any, in_order: Callable[[], None]) -> None:
    """Close a channel with its connections to Redis.

    Kombu writes to Redis first, and leaves the connections open if that is refused. A worker that connects again and
    again would fill the server with them.
    """
    transport = channel.connection
    try:
        in_order()
    except RedisError as e:
        log.debug("a channel could not be closed in order (%s); its connections are closed", e)
    finally:
        channel._disconnect_pools()
        channel._close_clients()
        channel.closed = True
        if channel.connection is not None:
            transport.cycle.discard(channel)
            transport.close_channel(channel)
