"""What live workers serve, their children in Redis, and the request that all children free their models."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, cast

from redis import Redis

from ocrqueue import names
from ocrqueue.engines import ALL_PAGES, POOR_PAGES
from ocrqueue.engines.best import announced, for_poor_pages
from ocrqueue.ledger.workers import Worker, live

_POLL = 0.1  # seconds between two looks at Redis


@dataclass(frozen=True, slots=True)
class Child:
    """The state of a worker child after its last task."""

    worker: str  # id of its worker
    host: str  # name of its machine
    pid: int  # process id
    tasks: int = 0  # number of tasks it has done
    loads: int = 0  # number of times it loaded a model
    models: dict[str, str] = field(default_factory=dict)  # models in memory: {engine: name of the model}
    loaded_since: float | None = None  # seconds since 1970; None: no model is in memory
    last_used: float | None = None  # when it last used a model, seconds since 1970; None: never
    freed: int = 0  # number of requests to free its models that it has carried out
    rss: int | None = None  # resident memory of the process, bytes
    active: int | None = None  # memory of MLX arrays, bytes; None: the process has not loaded MLX
    cache: int | None = None  # memory that MLX keeps for reuse, bytes; None as above
    peak: int | None = None  # largest memory of MLX arrays during the last page, bytes; None as above

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def children(redis: Redis) -> list[Child]:
    """The children of all live workers, sorted by machine and process id. Raises redis.RedisError."""
    found = [child for worker in live(redis) for child in _children(redis, worker)]
    return sorted(found, key=lambda child: (child.host, child.pid))


def _children(redis: Redis, worker: Worker) -> Iterator[Child]:
    for key in cast("Iterator[str]", redis.scan_iter(names.CHILD + worker.id + ":*", count=1000)):
        if row := cast("str | None", redis.get(key)):
            values = json.loads(row)
            known = {f.name for f in fields(Child)} & values.keys()
            pid = int(key.rpartition(":")[2])
            yield Child(worker=worker.id, host=worker.host, pid=pid, **{name: values[name] for name in known})


class Outcome(StrEnum):
    """The outcome of the request to free models, for one child."""

    FREED = "freed"  # the child freed its models
    ENDED = "ended"  # the process ended, which frees its memory too
    BUSY = "busy"  # the child was still reading a page at the time limit


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one child to the request to free its models."""

    host: str  # name of its machine
    pid: int  # process id
    outcome: Outcome


class Unloading:
    """A request to all children of all live workers to free their models."""

    def __init__(self, redis: Redis, ask: Callable[[int], Sequence[dict[str, Any]]]) -> None:
        """`ask(n)` sends the request to the n live workers and returns their replies, each {worker: reply}.

        Raises redis.RedisError.
        """
        self._redis = redis
        self._hosts = {worker.id: worker.host for worker in live(redis)}
        self._waiting = {
            (reply["worker"], int(pid)): int(before)
            for replies in (ask(len(self._hosts)) if self._hosts else ())
            for reply in replies.values()
            for pid, before in reply.get("children", {}).items()
        }

    @property
    def is_open(self) -> bool:
        """Whether a child has not answered yet."""
        return bool(self._waiting)

    def look(self, is_late: bool) -> Iterator[Answer]:
        """The answers since the last look; when it `is_late`, children without one are `BUSY`."""
        for (worker, pid), before in list(self._waiting.items()):
            row = cast("str | None", self._redis.get(names.child_key(worker, pid)))
            outcome = _outcome(row, before)
            if outcome or is_late:
                del self._waiting[worker, pid]
                yield Answer(self._hosts.get(worker, "?"), pid, outcome or Outcome.BUSY)


def unload(unloading: Unloading, seconds: float) -> Iterator[Answer]:
    """Yield each answer when it is known. A child that has not answered after `seconds` is `BUSY`.

    Raises redis.RedisError.
    """
    end = time.monotonic() + seconds
    while unloading.is_open:
        yield from unloading.look(is_late=time.monotonic() > end)
        if unloading.is_open:
            time.sleep(_POLL)


def _outcome(row: str | None, before: int) -> Outcome | None:
    """The outcome that a child's record shows; None: still open. `before`: its count of freed models at the request."""
    if row is None:
        return Outcome.ENDED
    return Outcome.FREED if json.loads(row).get("freed", 0) > before else None


@dataclass(frozen=True, slots=True)
class ServedEngine:
    """An engine with a model, and the workers that serve it."""

    engine: str  # name
    model: str  # name
    revision: str  # of the model
    languages: list[str] | None  # names of the languages that it reads in every worker; None: not known
    workers: list[str]  # machine and process id of each, such as "host (4711)"
    children: int  # number of their child processes
    pages: str = ALL_PAGES  # that `auto` gives it, see `ocrqueue.engines.pages_of`; older servers do not say

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def served_engines(workers: Sequence[Worker]) -> list[ServedEngine]:
    """The engines of these workers, sorted by name; one for each model and revision."""
    poor = for_poor_pages(workers)
    by_model: dict[tuple[str, str, str], list[Worker]] = {}
    for worker in workers:
        for name, about in worker.engines.items():
            by_model.setdefault((name, str(about.get("model")), str(about.get("revision"))), []).append(worker)
    found = []
    for (name, model, revision), serving in sorted(by_model.items()):
        reads = announced(serving)[name]
        pages = POOR_PAGES if name in poor else ALL_PAGES
        found.append(
            ServedEngine(
                name,
                model,
                revision,
                None if reads is None else sorted(reads),
                [f"{worker.host} ({worker.pid})" for worker in serving],
                sum(worker.children for worker in serving),
                pages,
            )
        )
    return found
