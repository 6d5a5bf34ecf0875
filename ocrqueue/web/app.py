"""Makes the application: its endpoints, its errors, and what they use."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI

from ocrqueue import __version__
from ocrqueue.client import Client
from ocrqueue.errors import StorageError
from ocrqueue.storage.uploads import Uploads
from ocrqueue.web import problems
from ocrqueue.web.compat import azure, docling, mistral, open_webui
from ocrqueue.web.content import openapi
from ocrqueue.web.intake import connections
from ocrqueue.web.intake.middleware import EarlyAnswer, Guard, Head, Private, Share
from ocrqueue.web.intake.receiving import Receiver
from ocrqueue.web.keys import Keys
from ocrqueue.web.monitoring.readiness import Readiness
from ocrqueue.web.monitoring.requests import CountRequests, Requests
from ocrqueue.web.routes import (
    deliveries,
    events,
    jobs,
    lists,
    operations,
    original,
    pages,
    probes,
    results,
    search,
    submit,
)
from ocrqueue.web.service import Service
from ocrqueue.web.settings import PREFIX, WebSettings, web_settings
from ocrqueue.web.ui import assets, entrance, job_page, models_page, queue_page
from ocrqueue.web.ui.rendering import error_page
from ocrqueue.web.watch import Watch

log = logging.getLogger(__name__)
# routers of the project's own API, below PREFIX
OWN: tuple[APIRouter, ...] = (
    submit.router,
    jobs.router,
    pages.router,
    events.router,
    deliveries.router,
    search.router,
    results.router,
    lists.router,
    operations.router,
)
# routers with paths of their own
OTHERS: tuple[APIRouter, ...] = (
    probes.router,
    original.router,
    docling.router,
    mistral.router,
    azure.router,
    open_webui.router,
    entrance.router,
    queue_page.router,
    job_page.router,
    models_page.router,
    assets.router,
)


def create_app(
    settings: WebSettings | None = None, client: Client | None = None, most_connections: int = connections.MOST
) -> FastAPI:
    """The application. Without arguments it reads its settings from the environment.

    There may be `most_connections` at a time, of which one caller gets half.
    """
    settings = settings or web_settings()
    client = client or Client()
    service = Service(settings, client, Keys(settings.keys), Watch(client), _receiver(client, settings))
    app = FastAPI(
        title="OCR Queue",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
    )
    app.state.service = service
    app.add_middleware(Head)
    app.add_middleware(Guard, service=service)
    app.add_middleware(Share, most=max(1, most_connections // 2))
    app.add_middleware(EarlyAnswer)  # around the guard
    app.add_middleware(Private)
    app.state.readiness = Readiness(client, service.keys)
    app.state.requests = Requests()
    app.add_middleware(CountRequests, requests=app.state.requests, redis=client.redis)
    problems.add_handlers(app, error_page)
    for router in OWN:
        app.include_router(router, prefix=PREFIX)
    for router in OTHERS:
        app.include_router(router)
    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await run_sync(_tidy, service)
    yield
    await service.watch.close()


def _receiver(client: Client, settings: WebSettings) -> Receiver:
    uploads = Uploads(client.spool.uploads_folder(client.settings.data_dir), client.spool.gid)
    return Receiver(uploads, client.settings.max_bytes, settings.uploads, settings.stall_seconds)


def _tidy(service: Service) -> None:
    """Remove what killed processes left. An error is logged: uploads fail then, and everything else works."""
    try:
        service.client.settings.data_dir.mkdir(parents=True, exist_ok=True)
        service.receiver.uploads.sweep()
    except (OSError, StorageError) as e:
        log.warning("the uploads of earlier processes cannot be removed: %s", e)
