"""Worker children as they show themselves in Redis, and asking all of them to free their models."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from redis import Redis

from ocrqueue import names
from ocrqueue.ledger.workers import Worker, live

_POLL = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Child:
    """A worker child, as it was after its last task."""

    worker: str  # id of its worker
    host: str  # the machine it runs on
    pid: int
    tasks: int = 0  # done
    loads: int = 0  # models loaded
    models: dict[str, str] = field(default_factory=dict)  # in memory: engine, model's name
    loaded_since: float | None = None  # seconds since 1970; None: no model is in memory
    last_used: float | None = None  # when a model was last asked for
    freed: int = 0  # times that it freed its models because it was told
    rss: int | None = None  # bytes in use by the process
    active: int | None = None  # bytes of MLX's arrays; None: MLX is not in this process
    cache: int | None = None  # bytes that MLX keeps for later
    peak: int | None = None  # most bytes of MLX's arrays while the last page was read

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def children(redis: Redis) -> list[Child]:
    """The children of all live workers, by machine and process id."""
    found = [child for worker in live(redis) for child in _children(redis, worker)]
    return sorted(found, key=lambda child: (child.host, child.pid))


def _children(redis: Redis, worker: Worker) -> Iterator[Child]:
    for key in cast("Iterator[str]", redis.scan_iter(names.CHILD + worker.id + ":*", count=1000)):
        if row := cast("str | None", redis.get(key)):
            values = json.loads(row)
            known = {f.name for f in fields(Child)} & values.keys()
            pid = int(key.rpartition(":")[2])
            yield Child(worker=worker.id, host=worker.host, pid=pid, **{name: values[name] for name in known})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a child that was told to free its models."""

    host: str
    pid: int
    outcome: str  # "freed", "ended" (so nothing of it is left) or "busy" (still reading when time ran out)


def unload(redis: Redis, ask: Callable[[int], Sequence[dict[str, Any]]], seconds: float) -> Iterator[Answer]:
    """Tell every child of every live worker to free its models; each one's answer as it comes.

    `ask(workers)` sends the command to the workers and returns their replies.
    """
    hosts = {worker.id: worker.host for worker in live(redis)}
    waiting = {
        (reply["worker"], int(pid)): int(before)
        for replies in (ask(len(hosts)) if hosts else ())
        for reply in replies.values()
        for pid, before in reply.get("children", {}).items()
    }
    end = time.monotonic() + seconds
    while waiting:
        late = time.monotonic() > end
        for (worker, pid), before in list(waiting.items()):
            row = cast("str | None", redis.get(names.child_key(worker, pid)))
            outcome = "ended" if row is None else "freed" if json.loads(row).get("freed", 0) > before else ""
            if outcome or late:
                del waiting[worker, pid]
                yield Answer(hosts.get(worker, "?"), pid, outcome or "busy")
        if waiting:
            time.sleep(_POLL)
