"""What the queue page shows besides the list of jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocrqueue.client import Client
from ocrqueue.client.children import Child
from ocrqueue.ledger import figures, workers
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.workers import Worker
from ocrqueue.states import JobState


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the queue at one time."""

    open: int  # open pages; a document that is not opened yet counts as ten
    left: float | None  # seconds until they are read; None: not known
    oldest: float  # seconds that the oldest open page has waited
    dead: int  # failed pages that a retry may read
    failed: int  # jobs that failed
    minutes: Sequence[int]  # pages read in each of the last sixty minutes, oldest first
    workers: Sequence[Worker]
    children: Mapping[str, Sequence[Child]]  # by id of the worker

    @property
    def peak(self) -> int:
        """The most pages that were read in a minute of the last hour; 1 at least."""
        return max(1, *self.minutes)

    @property
    def problem(self) -> str | None:
        """The name of the text that says which worker is missing; None if there are all kinds."""
        if any(worker.engines for worker in self.workers):
            return None if any(not worker.engines for worker in self.workers) else "no_documents_worker"
        return "no_page_worker" if self.workers else "no_worker"


def overview(client: Client) -> Overview:
    """Read the state of the queue. Raises QueueUnavailable."""
    with reaching(client.settings):
        found = figures.read(client.redis)
        live = workers.live(client.redis)
        minutes = figures.pages_per_minute(client.redis)
        speed = figures.page_speed(figures.last_hour(client.redis))
    children: dict[str, list[Child]] = {}
    for child in client.children():
        children.setdefault(child.worker, []).append(child)
    return Overview(
        open=sum(found.pages_open.values()),
        left=figures.seconds_left(found.pages_open, speed, live),
        oldest=found.oldest,
        dead=found.dead,
        failed=found.jobs.get(JobState.FAILED, 0),
        minutes=minutes,
        workers=live,
        children=children,
    )
