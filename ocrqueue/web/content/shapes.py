"""The JSON objects of the API, and their schemas for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, Field

from ocrqueue.client import JobStatus
from ocrqueue.client.children import Outcome
from ocrqueue.ledger import PageRecord
from ocrqueue.states import JobState, PageState
from ocrqueue.web.settings import PREFIX


class Error(BaseModel):
    """Why a page or a document was not read."""

    code: str = Field(description="one of the error codes", examples=["corrupt_file"])
    message: str = Field(description="what is wrong, for people", examples=["the page is damaged"])


class Links(BaseModel):
    """Paths of a job's parts."""

    self: str
    result: str
    pages: str
    events: str


class JobObject(BaseModel):
    """A job."""

    job: str = Field(description="its id, a UUID", examples=["0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10"])
    name: str = Field(description="of the document, as it was submitted", examples=["scan.pdf"])
    state: JobState
    round: int = Field(description="1, increased by each retry")
    pages: int | None = Field(description="pages asked for; null until the document is opened")
    missing_pages: str | None = Field(description="pages asked for that the document does not have, such as `12-20`")
    ok: int = Field(description="pages that were read")
    failed: int
    cancelled: int
    cancelling: bool = Field(description="a cancel was requested")
    engine: str | None = Field(description="null until the document is opened; so are model and queue")
    model: str | None
    queue: str | None
    created: float = Field(description="seconds since 1970")
    ended: float | None = Field(description="seconds since 1970")
    code: str | None = Field(description="error code, if the document could not be opened or no page be read")
    message: str | None = Field(description="the error in words")
    waiting_for: str | None = Field(description="why the job cannot go on, and what to do; null if it can")
    owner: str | None = Field(description="name of the API key that submitted the job")
    quality: float | None = Field(
        default=None, description="mean quality of the pages read so far, 0 to 1; null: of no page is it known"
    )
    poorly_read: int = Field(default=0, description="pages that were read with a low quality")
    read_again_by: str | None = Field(
        default=None, description="the other engine that reads poorly read pages now; null: none does"
    )
    second_engine: str | None = Field(
        default=None, description="the other engine that has read pages again; null: none has"
    )
    second_model: str | None = Field(default=None, description="its model")
    links: Links
    page_states: dict[PageState, str] | None = Field(
        default=None,
        description="with `?pages=true`: page numbers by state, as ranges",
        examples=[{"ok": "1-57,60", "claimed": "58-59"}],
    )
    stopped: bool | None = Field(
        default=None,
        description="in the answer to `cancel`: whether there was anything left to cancel, in a job that has ended the "
        "search for its structure",
    )


class PageStateObject(BaseModel):
    """The state of one page of a job."""

    page: int = Field(description="its number in the document, from 1")
    state: PageState
    attempts: int = Field(description="earlier attempts that were lost because a process died")
    quality: float | None = Field(
        default=None, description="expected share of words read correctly, 0 to 1; null: not known, or not read"
    )
    error: Error | None


class JobList(BaseModel):
    """A part of the list of jobs, newest first."""

    items: list[JobObject]
    next_cursor: str | None = Field(description="for the next part; null: this is the last one")


class DeadObject(BaseModel):
    """A page that failed and that a retry may read."""

    job: str
    page: int = Field(description="its number in the document; 0: the document itself")
    code: str
    message: str
    name: str = Field(description="of the document")


class DeadList(BaseModel):
    """A part of the list of failed pages, oldest first."""

    items: list[DeadObject]
    next_cursor: str | None = Field(description="for the next part; null: this is the last one")


class PageList(BaseModel):
    """A part of the list of a job's pages."""

    items: list[PageStateObject]
    next_cursor: str | None = Field(description="for the next part; null: this is the last one")


class OpenPages(BaseModel):
    """The open pages of an engine and a priority."""

    engine: str = Field(description="`unknown`: the document is not opened yet, and counts as ten pages")
    priority: str
    pages: int


class WorkerObject(BaseModel):
    """A live worker."""

    host: str = Field(description="name of its machine")
    pid: int = Field(description="process id")
    engines: list[str] = Field(description="with which it reads pages; empty: it opens documents")
    models: dict[str, str | None] = Field(description="the model of each engine")
    queues: list[str]
    children: int
    memory: int | None = Field(description="bytes of all its children; null: not known")
    started: float = Field(description="seconds since 1970")


class StatsObject(BaseModel):
    """The figures of the queue."""

    jobs: dict[JobState, int] = Field(description="jobs that are kept, by state")
    pages_open: list[OpenPages]
    oldest_open_page_seconds: float = Field(description="0 if no page is open")
    failed_pages: int = Field(description="failed pages of all jobs")
    dead_pages: int = Field(description="those that a retry may read, and documents")
    pages_per_minute: list[int] = Field(description="of the last hour, oldest first; the last minute is not over")
    page_seconds: dict[str, float] = Field(description="seconds for a page in the last hour, by engine")
    seconds_left: float | None = Field(description="until all open pages are read; null if that is not known")
    workers: list[WorkerObject]
    waiting_for: list[str] = Field(description="why jobs do not go on, and what to do; empty if they do")


class EngineObject(BaseModel):
    """An engine with a model, and the workers that serve it."""

    engine: str
    model: str
    revision: str
    languages: list[str] | None = Field(description="that it reads in every worker, as BCP 47 names; null: not known")
    workers: list[str] = Field(description="machine and process id of each")
    children: int = Field(description="child processes of these workers")
    pages: str = Field(
        description="that auto gives it: all, or poor, which another engine has read poorly or cannot read"
    )


class EnginesObject(BaseModel):
    """The engines that live workers serve."""

    engines: list[EngineObject]


class ModelObject(BaseModel):
    """A model in the model directory."""

    name: str
    kind: str
    revision: str
    path: str
    size: int = Field(description="bytes")
    files: int
    last_used: str | None = Field(description="ISO 8601")
    status: str
    reason: str
    prunable: bool
    problems: list[str]
    pruned_because: str | None = Field(description="why the next night moves it to the trash; null: it does not")


class DirectoryObject(BaseModel):
    """The model directory of a machine."""

    path: str
    size: int = Field(description="bytes, without the trash")
    max_size: int | None = Field(description="OCR_MODEL_DIR_MAX_GB in bytes; null: no limit")
    trash: int = Field(description="bytes that emptying the trash would free")
    prune: str = Field(description="OCR_PRUNE: `trash` moves models, `report` only reports them")
    last_audit: str | None = Field(description="when the nightly work looked at it last, ISO 8601; null: never")


class ChildObject(BaseModel):
    """A child process of a worker, after its last task."""

    worker: str
    host: str
    pid: int
    tasks: int
    loads: int
    models: dict[str, str] = Field(description="models in memory, by engine")
    loaded_since: float | None
    last_used: float | None
    freed: int
    rss: int | None = Field(description="resident memory, bytes; the others below are memory of MLX")
    active: int | None
    cache: int | None
    peak: int | None


class ModelsObject(BaseModel):
    """Models on disk and in memory."""

    models: list[ModelObject] = Field(description="of the model directory of this machine; empty without one")
    directory: DirectoryObject | None = Field(description="null: this machine has none")
    children: list[ChildObject]


class UnloadedChild(BaseModel):
    """What a child did."""

    host: str
    pid: int
    outcome: Outcome


class UnloadedObject(BaseModel):
    """What each worker child did."""

    children: list[UnloadedChild]


def job_json(status: JobStatus, root: str) -> dict[str, Any]:
    """The `JobObject` of a job, without the states of its pages. `root` is the path below which a proxy shows us."""
    path = f"{root}{PREFIX}/jobs/{status.id}"
    parts = {name: f"{path}/{name}" for name in ("result", "pages", "events")}
    return {**status.to_json(), "links": {"self": path, **parts}}


def page_state_json(page: PageRecord) -> dict[str, Any]:
    """The `PageStateObject` of a page."""
    error = {"code": page.code, "message": page.message or ""} if page.code else None
    known = {"page": page.number, "state": page.state, "attempts": page.attempts, "quality": page.quality}
    return {**known, "error": error}
