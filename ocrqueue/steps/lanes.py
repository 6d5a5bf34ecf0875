"""Lanes: how many pages of one job workers may hold at the same time. Each lane has one ticket in the job's queue."""

from collections.abc import Iterable

from ocrqueue.ledger.workers import Worker

_LANES_PER_CHILD = 2  # one page is being read, the next one waits


def wanted_lanes(children: int) -> int:
    """How many lanes a job has whose queue is served by this number of worker children."""
    return _LANES_PER_CHILD * children


def children_of(queue: str, workers: Iterable[Worker]) -> int:
    """How many children of these workers serve a queue."""
    return sum(worker.children for worker in workers if queue in worker.queues)
