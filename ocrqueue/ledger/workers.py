"""Live workers: with every heartbeat, each worker announces in Redis what it serves."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, cast

from redis import Redis

from ocrqueue import names


class Structure(StrEnum):
    """With what a worker finds the structure of pages."""

    MODELS = "models"  # with the layout models
    RULES = "rules"  # it does not have them


@dataclass(frozen=True, slots=True)
class Worker:
    """What a live worker announces."""

    id: str  # new at every start
    host: str  # the machine it runs on
    pid: int  # process id of its parent process
    version: str  # of this project
    queues: tuple[str, ...]  # from which it takes messages
    engines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # see worker/parent/announcer.py
    children: int = 1  # number of child processes
    started: float = 0.0  # seconds since 1970
    structure: str | None = None  # value of `Structure`; None: it reads no pages, or its version finds no structure
    paused: Mapping[str, str] = field(default_factory=dict)  # by queue of pages: why it takes none for a minute
    memory: tuple[int, ...] = ()  # resident memory of each child, bytes; older versions announce none
    sources: tuple[str, ...] | None = None  # beginnings of URLs from which it fetches documents; None: not known
    webhooks: Mapping[str, Any] | None = None  # what it calls, see `WebhookSettings.announced`; None: not known


def announce(redis: Redis, worker: Worker, seconds: float) -> None:
    """Count this worker as live for `seconds` from now, and remove the ids of workers that were killed."""
    record = {key: value for key, value in asdict(worker).items() if key != "id"}
    now = _now(redis)
    with redis.pipeline() as pipe:
        pipe.set(names.worker_key(worker.id), json.dumps(record), px=max(1, int(seconds * 1000)))
        pipe.zremrangebyscore(
            names.WORKERS, "-inf", now
        )  # a worker that still runs adds itself with its next heartbeat
        pipe.zadd(names.WORKERS, {worker.id: now + seconds})
        pipe.execute()


def withdraw(redis: Redis, worker: str) -> None:
    """Count this worker as gone. `worker` is its id."""
    with redis.pipeline() as pipe:
        pipe.delete(names.worker_key(worker))
        pipe.zrem(names.WORKERS, worker)
        pipe.execute()


def live(redis: Redis) -> list[Worker]:
    """The workers whose announcement has not expired, sorted by id."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zrange(names.WORKERS, 0, -1, withscores=True)
        (seconds, microseconds), announced = pipe.execute()
    ids = sorted(id for id, until in announced if until >= seconds + microseconds / 1e6)
    if not ids:
        return []
    records = cast("list[str | None]", redis.mget([names.worker_key(i) for i in ids]))
    return [_worker(i, json.loads(record)) for i, record in zip(ids, records, strict=True) if record]


def serving(workers: Iterable[Worker], queue: str) -> list[Worker]:
    """The workers that take messages from a queue."""
    return [worker for worker in workers if queue in worker.queues]


def why_paused(workers: Iterable[Worker], queue: str) -> str | None:
    """Why a worker takes no messages from a queue of pages, though it is there to read them; None if none pauses."""
    return next((worker.paused[queue] for worker in workers if queue in worker.paused), None)


def _worker(worker: str, record: Mapping[str, Any]) -> Worker:
    """The worker of an announcement. Fields that this version does not know, of a newer worker, are ignored."""
    known = {f.name for f in fields(Worker)} & record.keys()
    values = {name: record[name] for name in known}
    values |= {name: tuple(record.get(name, ())) for name in ("queues", "memory")}
    if values.get("sources") is not None:
        values["sources"] = tuple(values["sources"])
    return Worker(id=worker, **values)


def _now(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6
