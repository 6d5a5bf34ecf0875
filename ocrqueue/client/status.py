"""The status of a job: its state, its page counts, and what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ocrqueue import names
from ocrqueue.errors import unserved
from ocrqueue.ledger import Job
from ocrqueue.ledger.encoding import shown_name
from ocrqueue.ledger.workers import Worker, serving, why_paused
from ocrqueue.options import missing_pages
from ocrqueue.states import JobState


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of a job at the time of the request."""

    id: str
    name: str  # of the document, as submitted
    state: JobState
    round: int  # 1, increased by each retry
    pages: int | None  # number of pages asked for; None until the document is opened
    missing_pages: str | None  # pages asked for that the document does not have, such as "99" or "12-20"
    ok: int
    failed: int
    cancelled: int
    cancelling: bool  # a cancel was requested
    engine: str | None  # None until the document is opened, like model and queue
    model: str | None
    queue: str | None
    created: float  # seconds since 1970
    ended: float | None
    code: str | None  # why the document could not be opened, or no page be read
    message: str | None
    waiting_for: str | None  # why the job cannot continue, and what to do; None if a worker can continue it
    owner: str | None = None  # name of the API key that submitted the job; None for other clients
    quality: float | None = None  # mean of the pages whose quality is known so far, 0 to 1; None: of none
    poorly_read: int = 0  # pages that were read with a low quality; see `ocrqueue.quality`
    read_again_by: str | None = None  # the other engine that reads poorly read pages now; see docs/results.md
    second_engine: str | None = None  # the other engine that has read pages again; None: none has
    second_model: str | None = None  # its model

    @property
    def has_ended(self) -> bool:
        """Whether the job is in a final state."""
        return self.state.has_ended

    @property
    def finished(self) -> int:
        """Pages that are ok, failed or cancelled."""
        return self.ok + self.failed + self.cancelled

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, with the id as `job`."""
        values = asdict(self)
        return {"job": values.pop("id"), **values}


@dataclass(frozen=True, slots=True)
class DeadPage:
    """A page that failed and that a retry may read."""

    job: str
    page: int  # its number in the document; 0: the document itself
    code: str
    message: str
    name: str  # of the document

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def status_of(job: Job, workers: Sequence[Worker]) -> JobStatus:
    """The status of a job; `workers` are the live ones.

    A job is shown as ended once its end has been published: then its Celery result is there too.
    """
    hidden = job.has_ended and not job.published
    if hidden:
        state = JobState.QUEUED if job.pages is None else JobState.RUNNING
        job = replace(job, state=state, ended=None, code=None, message=None, error=None)
    error = job.error or {}  # older versions publish none
    own: Mapping[str, str | None] = job.first or {"engine": job.engine, "model": job.model, "queue": job.queue}
    return JobStatus(
        id=job.id,
        name=job.source.name,
        state=job.state,
        round=job.round,
        pages=job.pages,
        missing_pages=None if job.total is None else missing_pages(job.options.pages, job.total),
        ok=job.ok,
        failed=job.failed,
        cancelled=job.cancelled,
        cancelling=job.cancelling,
        engine=own["engine"],
        model=own["model"],
        queue=own["queue"],
        created=job.created,
        ended=job.ended,
        code=job.code or error.get("code"),
        message=job.message or error.get("message"),
        waiting_for=_waiting_for(job, workers),
        owner=job.submitter.owner,
        quality=job.quality,
        poorly_read=job.poorly_read,
        read_again_by=job.engine if job.first else None,
        second_engine=(job.second or {}).get("engine"),
        second_model=(job.second or {}).get("model"),
    )


def noted_status(job: str, note: Mapping[str, Any]) -> JobStatus:
    """The status of a job of which only its job.json is known; see `ocrqueue.ledger.records.job_note`."""
    return JobStatus(
        id=job,
        name=shown_name(note["source"]["name"]),
        state=JobState.QUEUED,
        round=1,
        pages=None,
        missing_pages=None,
        ok=0,
        failed=0,
        cancelled=0,
        cancelling=False,
        engine=None,
        model=None,
        queue=None,
        created=float(note["created"]),
        ended=None,
        code=None,
        message=None,
        waiting_for=None,
        owner=note.get("owner"),
    )


def ended_status(known: JobStatus, end: Mapping[str, Any]) -> JobStatus:
    """The status of a job that has ended and is no longer in Redis.

    `known` is its status before, `end` the summary in its folder; see `ocrqueue.steps.end.summarise`.
    """
    error = end["error"] or {}
    return replace(
        known,
        state=JobState(end["state"]),
        round=max(known.round, end["round"]),  # older versions write no round
        pages=end["pages"] or None,
        ok=end["counts"]["ok"],
        failed=end["counts"]["failed"],
        cancelled=end["counts"]["cancelled"],
        quality=end.get("quality"),  # older versions write neither
        poorly_read=end.get("poorly_read", 0),
        ended=known.created + end["seconds"],
        code=error.get("code"),
        message=error.get("message"),
        waiting_for=None,
    )


def _waiting_for(job: Job, workers: Sequence[Worker]) -> str | None:
    if job.has_ended:
        return None
    if job.state == JobState.RUNNING and job.queue and job.finished < (job.pages or 0):
        if job.first or serving(workers, job.queue):  # nobody waits long for the engine that reads pages again
            return None
        if why := why_paused(workers, job.queue):
            return f"its workers are paused for a minute: {why}"
        if model := names.model_of(job.queue):
            return unserved(model)
        return f"no worker reads {job.queue}; start one with `make up` or `celery -A tasks.app worker`"
    if serving(workers, names.DOCUMENTS_QUEUE):
        return None
    step = "opens documents" if job.state == JobState.QUEUED else "puts the pages together"
    return f"no worker {step}; start one with `make up` or `celery -A tasks.app worker -Q documents,maintenance`"
