"""The models that open jobs need. They count as in use even if no process has them loaded."""

from typing import cast

from redis import Redis

from ocrqueue import names
from ocrqueue.ledger.connection import connect, reaching
from ocrqueue.settings import shared


def open_models(redis: Redis) -> frozenset[tuple[str, str]]:
    """(model, revision) of every job that has not ended; revision "" if the job has none. Raises redis.RedisError."""
    jobs = cast("list[str]", redis.zrange(names.OPEN, 0, -1))
    with redis.pipeline(transaction=False) as pipe:
        for job in jobs:
            pipe.hmget(names.job_key(job), "model", "revision")
        found = cast("list[list[str | None]]", pipe.execute())
    return frozenset((model, revision or "") for model, revision in found if model)


def needed_by() -> frozenset[tuple[str, str]]:
    """The same for the Redis of the settings. Raises QueueUnavailable."""
    settings = shared()
    with reaching(settings), connect(settings) as redis:
        return open_models(redis)
