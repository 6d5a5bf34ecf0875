"""Probes for supervisors and load balancers, and metrics for Prometheus."""

from collections.abc import Iterable
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, Field

from ocrqueue.ledger import figures
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.workers import live
from ocrqueue.web.callers import Overseer
from ocrqueue.web.monitoring.metrics import families
from ocrqueue.web.monitoring.readiness import Readiness
from ocrqueue.web.monitoring.requests import Requests
from ocrqueue.web.service import ServiceOf

router = APIRouter(tags=["operations"])


class Readable(BaseModel):
    """Whether a page that is submitted now would be read."""

    status: Literal["ready", "not ready"]
    missing: list[str] = Field(description="what is missing, in words", examples=[["no worker reads pages"]])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Readable, responses={503: {"model": Readable, "description": "Not ready"}})
def readyz(request: Request) -> Response:
    """Redis and the spool can be written, and live workers can open documents and read pages. Needs no key."""
    readiness: Readiness = request.app.state.readiness
    missing = readiness.missing()
    answer = Readable(status="not ready" if missing else "ready", missing=list(missing))
    return JSONResponse(answer.model_dump(), 503 if missing else 200, {"Cache-Control": "no-store"})


class _Found:
    """Metrics as prometheus_client's encoders take them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return self._metrics


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, service: ServiceOf, _key: Overseer) -> Response:
    """The figures of the whole queue, and of the requests to this process, for Prometheus."""
    requests: Requests = request.app.state.requests
    with reaching(service.client.settings):
        redis, readiness = service.client.redis, request.app.state.readiness
        found = families(figures.read(redis), live(redis), readiness.spool_works())
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(_Found([*found, *requests.registry.collect()])), media_type=kind)
