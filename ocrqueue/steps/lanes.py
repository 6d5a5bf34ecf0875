"""Lanes: how many pages of one job workers may hold at the same time. Each lane has one ticket in the job's queue."""

from collections.abc import Iterable

from ocrqueue.ledger.workers import Worker

_LANES_PER_CHILD = 2  # one page is being read, the next one waits
_MANY, _JOBS_PER_CHILD = 200, 4  # jobs in a queue, and for each child, beyond which one lane of each is enough


def wanted_lanes(children: int, jobs: int = 0) -> int:
    """How many lanes a job has whose queue is served by `children` worker children, and in which `jobs` jobs wait.

    Each lane's ticket needs a kilobyte of Redis. Where many jobs wait, one of each keeps all children busy.
    """
    return 1 if children and jobs > max(_MANY, _JOBS_PER_CHILD * children) else _LANES_PER_CHILD * children


def children_of(queue: str, workers: Iterable[Worker]) -> int:
    """How many children of these workers serve a queue."""
    return sum(worker.children for worker in workers if queue in worker.queues)
