"""Poorly read pages are read once more, by another engine; the better reading of a page is kept.

When every page of a job was read, the ledger opens the poorly read ones for the other engine. No page is read a third
time. The first reading stays in the job's folder until a better one takes its place, so nothing is lost if the other
engine fails, is gone, or takes too long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocrqueue.errors import DamagedFile, PageError
from ocrqueue.ledger import Job, Other
from ocrqueue.ledger.workers import Worker
from ocrqueue.names import pages_queue
from ocrqueue.quality import is_measured
from ocrqueue.states import WarningCode
from ocrqueue.storage.results import Reading
from ocrqueue.storage.spool import Spool


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of a job other engines may read again."""

    share: float  # of its pages, 0 to 1; 0: nothing
    seconds: float  # from when every page was read once


def other_engine(job: Job, reads_as: str, workers: Sequence[Worker], budget: Budget) -> Other | None:
    """The engine for poorly read pages of a job that the engine with this `reads_as` reads; None: there is none.

    It is one that a live worker serves and whose quality is known, because otherwise two readings cannot be compared.
    A job that names its engine or model is not read by another one.
    """
    if not budget.share or job.first or job.options.engine != "auto" or job.options.model:
        return None
    for worker in sorted(workers, key=lambda w: (w.started, w.id)):
        for name, about in worker.engines.items():
            if name != job.engine and is_measured(name):
                queue = str(about.get("queue") or pages_queue(name))
                return Other(queue, name, about["model"], about["revision"], reads_as, budget.share, budget.seconds)
    return None


def first_reading(spool: Spool, job: str, number: int) -> dict[str, Any] | None:
    """The stored result of a page that was read before; None if its file is missing or damaged. Raises StorageError."""
    try:
        return spool.read_page(job, number)
    except (FileNotFoundError, DamagedFile):
        return None


def better(first: Mapping[str, Any] | None, second: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The reading with the higher quality, with both in its `readings`, and whether it is the second one.

    If they are equal, it is the first.
    """
    if first is None:
        return second, True
    is_better = (second["quality"] or 0) > (first.get("quality") or 0)
    kept = second if is_better else first
    return {**kept, "readings": [_reading(first, not is_better), _reading(second, is_better)]}, is_better


def kept(first: Mapping[str, Any], job: Job, error: PageError) -> dict[str, Any]:
    """The first reading, with a note of the error that the other engine ended in."""
    tried = Reading(
        engine=job.engine, model=job.model, revision=job.revision, quality=None, seconds=0, kept=False,
        error={"code": error.code, "message": error.message},
    )  # fmt: skip
    return {**first, "readings": [_reading(first, True), tried]}


def may_be_cached(page: Mapping[str, Any]) -> bool:
    """Whether the page cache may have a page: it has no warning but the one that two engines have read it poorly."""
    codes = {warning["code"] for warning in page["warnings"]}
    return not codes or (codes == {WarningCode.POORLY_READ} and len(page.get("readings") or ()) > 1)


def _reading(page: Mapping[str, Any], is_kept: bool) -> Reading:
    return Reading(
        engine=page["engine"], model=page["model"], revision=page["revision"], quality=page.get("quality"),
        seconds=page["seconds"], kept=is_kept, error=None,
    )  # fmt: skip
