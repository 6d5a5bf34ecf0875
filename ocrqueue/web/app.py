"""Makes the application: its endpoints, its errors, and what they use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from ocrqueue import __version__
from ocrqueue.client import Client
from ocrqueue.web import problems
from ocrqueue.web.keys import Keys
from ocrqueue.web.routes import events, jobs, probes
from ocrqueue.web.service import Service
from ocrqueue.web.settings import PREFIX, WebSettings, web_settings
from ocrqueue.web.ui import entrance
from ocrqueue.web.watch import Watch

_OWN: tuple[APIRouter, ...] = (jobs.router, events.router)  # routers of the project's own API, below PREFIX
_OTHERS: tuple[APIRouter, ...] = (probes.router, entrance.router)  # routers with paths of their own


def create_app(settings: WebSettings | None = None, client: Client | None = None) -> FastAPI:
    """The application. Without arguments it reads its settings from the environment."""
    settings = settings or web_settings()
    client = client or Client()
    service = Service(settings, client, Keys(settings.keys), Watch(client))
    app = FastAPI(
        title="OCR Queue",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
    )
    app.state.service = service
    problems.add_handlers(app)
    for router in _OWN:
        app.include_router(router, prefix=PREFIX)
    for router in _OTHERS:
        app.include_router(router)
    app.mount("/static", entrance.STATIC)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.service.watch.close()
