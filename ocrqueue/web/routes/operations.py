"""What operators look at: the figures of the queue, the models, and the memory they take."""

import time
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query

from ocrqueue.client import Client
from ocrqueue.client.children import Answer
from ocrqueue.client.listing import JobFilter
from ocrqueue.ledger import figures
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.workers import Worker, live
from ocrqueue.states import JobState
from ocrqueue.web.callers import Operator, Reader, having
from ocrqueue.web.content.shapes import EnginesObject, ModelsObject, StatsObject, UnloadedObject
from ocrqueue.web.keys import Key, Right
from ocrqueue.web.problems import answers
from ocrqueue.web.routes.jobs import MAX_WAIT
from ocrqueue.web.service import ServiceOf

router = APIRouter(tags=["operations"])
_POLL = 0.2  # seconds between two looks at the worker children
_LOOKED_AT = 100  # open jobs that are asked why they do not go on
ReaderOfAll = Annotated[Key, Depends(having(Right.READ_ALL))]


@router.get("/stats", response_model=StatsObject)
def stats(service: ServiceOf, _key: Reader) -> dict[str, Any]:
    """The figures of the whole queue, and why nothing moves if that is so."""
    client = service.client
    with reaching(client.settings):
        found, workers = figures.read(client.redis), live(client.redis)
        speed = figures.page_speed(figures.last_hour(client.redis))
        per_minute = figures.pages_per_minute(client.redis)
    return {
        "jobs": found.jobs,
        "pages_open": [
            {"engine": engine, "priority": priority, "pages": pages}
            for (engine, priority), pages in sorted(found.pages_open.items())
            if pages
        ],
        "oldest_open_page_seconds": found.oldest,
        "failed_pages": found.failed,
        "dead_pages": found.dead,
        "pages_per_minute": per_minute,
        "page_seconds": speed,
        "seconds_left": figures.seconds_left(found.pages_open, speed, workers),
        "workers": [_worker(worker) for worker in workers],
        "waiting_for": service.recent.get("reasons", lambda: _reasons(client)),
    }


def _worker(worker: Worker) -> dict[str, Any]:
    return {
        "host": worker.host,
        "pid": worker.pid,
        "engines": sorted(worker.engines),
        "models": {name: engine.get("model") for name, engine in worker.engines.items()},
        "queues": list(worker.queues),
        "children": worker.children,
        "memory": sum(worker.memory) or None,
        "started": worker.started,
    }


def _reasons(client: Client) -> list[str]:
    """Why the newest open jobs do not go on, each reason once; empty if they do."""
    open_jobs = client.jobs_part(JobFilter(JobState.RUNNING), _LOOKED_AT).items
    open_jobs += client.jobs_part(JobFilter(JobState.QUEUED), _LOOKED_AT).items
    return sorted({job.waiting_for for job in open_jobs if job.waiting_for})


@router.get("/engines", response_model=EnginesObject)
def engines(service: ServiceOf, _key: Reader) -> dict[str, Any]:
    """The engines that live workers serve, with model and languages."""
    return {"engines": [engine.to_json() for engine in service.client.engines()]}


@router.get("/models", response_model=ModelsObject, responses=answers(409))
def models(service: ServiceOf, _key: ReaderOfAll) -> dict[str, Any]:
    """The models in the model directory of this machine, and those that worker children have in memory."""
    children = [child.to_json() for child in service.client.children()]
    return {**_directory(service.client), "children": children}


def _directory(client: Client) -> dict[str, Any]:
    """The model directory of this machine. Raises ModelDirectoryError."""
    from ocrqueue.models import ModelStore
    from ocrqueue.models.needed import open_models
    from ocrqueue.models.nightly import last_audit

    store = ModelStore()
    if not store.paths.root.is_dir():
        return {"models": [], "directory": None}
    with reaching(client.settings):
        needed = open_models(client.redis)
    audit, chosen = store.preview(needed)
    return {
        "models": [
            {**model.to_json(), "pruned_because": chosen.get((model.name, model.revision))} for model in audit.models
        ],
        "directory": {
            "path": audit.directory,
            "size": audit.size,
            "max_size": audit.max_size,
            "trash": audit.trash,
            "prune": store.settings.prune,
            "last_audit": last_audit(client.settings.data_dir / "reports", audit.directory),
        },
    }


@router.post("/models/unload", response_model=UnloadedObject)
async def unload(
    service: ServiceOf,
    _key: Operator,
    wait: Annotated[float, Query(ge=0, description="seconds to wait for children that read a page; 60 at most")] = 10,
) -> dict[str, Any]:
    """Let all worker children free their models. Each loads its model again with its next page."""
    found = await free_models(service.client, min(wait, MAX_WAIT))
    return {"children": [{"host": a.host, "pid": a.pid, "outcome": a.outcome} for a in found]}


async def free_models(client: Client, seconds: float) -> list[Answer]:
    """Ask all worker children to free their models, and wait for their answers without a thread."""
    unloading = await run_sync(client.unloading)
    found: list[Answer] = []
    end = time.monotonic() + seconds

    def look() -> list[Answer]:
        with reaching(client.settings):
            return list(unloading.look(is_late=time.monotonic() > end))

    while True:
        found += await run_sync(look)
        if not unloading.is_open:
            return found
        await anyio.sleep(_POLL)
