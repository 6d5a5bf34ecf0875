"""Live workers: what each serves, as it announces it in Redis with every heartbeat."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from redis import Redis

from ocrqueue import names


@dataclass(frozen=True, slots=True)
class Worker:
    """What a live worker says of itself."""

    id: str  # new at every start
    host: str  # the machine it runs on
    pid: int  # of its parent process
    version: str  # of this project
    queues: tuple[str, ...]  # that it takes messages from
    engines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # name: model, revision, batch, children
    children: int = 1  # processes that work at a time
    started: float = 0.0  # seconds since 1970


def announce(redis: Redis, worker: Worker, seconds: float) -> None:
    """Count this worker as live for so many seconds from now."""
    record = {key: value for key, value in asdict(worker).items() if key != "id"}
    with redis.pipeline() as pipe:
        pipe.set(names.worker_key(worker.id), json.dumps(record), px=max(1, int(seconds * 1000)))
        pipe.zadd(names.WORKERS, {worker.id: _now(redis) + seconds})
        pipe.execute()


def withdraw(redis: Redis, worker: str) -> None:
    """Count this worker as gone, at once."""
    with redis.pipeline() as pipe:
        pipe.delete(names.worker_key(worker))
        pipe.zrem(names.WORKERS, worker)
        pipe.execute()


def live(redis: Redis) -> list[Worker]:
    """The workers whose announcement has not run out, by id."""
    ids = sorted(cast("list[str]", redis.zrangebyscore(names.WORKERS, _now(redis), "+inf")))
    if not ids:
        return []
    records = cast("list[str | None]", redis.mget([names.worker_key(i) for i in ids]))
    return [_worker(i, json.loads(record)) for i, record in zip(ids, records, strict=True) if record]


def serving(workers: Iterable[Worker], queue: str) -> list[Worker]:
    """Those that take messages from a queue."""
    return [worker for worker in workers if queue in worker.queues]


def _worker(worker: str, record: Mapping[str, Any]) -> Worker:
    """A newer worker may say more of itself than is known here."""
    known = {f.name for f in fields(Worker)} & record.keys()
    values = {name: record[name] for name in known} | {"queues": tuple(record.get("queues", ()))}
    return Worker(id=worker, **values)


def _now(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6
