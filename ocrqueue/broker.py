"""Celery's connections for messages: what kombu's Redis transport does differently in this project.

A message only wakes a worker up, and the reconciler sends a lost one again. So messages are not noted in Redis between
their delivery and their acknowledgement: at its memory limit the server would refuse each note, and the worker would
drop the message and connect again, several times a second.
"""

import logging
from functools import cache
from typing import Any

from redis.exceptions import RedisError

from ocrqueue.ledger.connection import to_primary

log = logging.getLogger(__name__)


def watch_broker() -> None:
    """Have Celery use these channels, in this process and its children."""
    from kombu.transport import redis

    for transport in (redis.Transport, redis.SentinelTransport):
        transport.Channel = _channel(transport.Channel)


@cache
def _channel(kind: Any) -> Any:
    """A kind of channel whose servers take writes, which notes no message in Redis, and which always closes."""
    if hasattr(kind, "closes_always"):
        return kind

    class Channel(kind):  # type: ignore[misc]
        ack_emulation = False
        closes_always = True

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.QoS = _counted()

        def _connparams(self, *args: Any, **options: Any) -> dict[str, Any]:
            params = super()._connparams(*args, **options)
            return {**params, "connection_class": to_primary(params["connection_class"])}

        def close(self) -> None:
            """Close it with its connections to Redis.

            Kombu writes to Redis first, and leaves the connections open if that is refused. A worker that connects
            again and again would fill the server with them.
            """
            transport = self.connection
            try:
                super().close()
            except RedisError as e:
                log.debug("a channel could not be closed in order (%s); its connections are closed", e)
            finally:
                self._disconnect_pools()
                self._close_clients()
                self.closed = True
                if self.connection is not None:
                    transport.cycle.discard(self)
                    transport.close_channel(self)

    return Channel


@cache
def _counted() -> Any:
    """Kombu's count of the messages that a channel has delivered, but not acknowledged."""
    from kombu.transport.virtual import QoS

    class Counted(QoS):  # type: ignore[misc]
        def restore_unacked(self) -> list[Any]:
            """Put them back. The reconciler sends those again that cannot be; kombu would write them to a file."""
            super().restore_unacked()
            return []

    return Counted
