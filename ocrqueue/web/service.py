"""What every request uses: the settings, the queue's client and the API keys."""

from dataclasses import dataclass, field
from typing import Annotated

import anyio
from fastapi import Depends, Request

from ocrqueue.client import Client
from ocrqueue.web.content.pieces import MAKERS
from ocrqueue.web.intake.receiving import Receiver
from ocrqueue.web.keys import Keys
from ocrqueue.web.recent import Recent
from ocrqueue.web.settings import WebSettings
from ocrqueue.web.watch import Watch


@dataclass(frozen=True, slots=True)
class Service:
    """One queue that is served over HTTP. It is stored as `app.state.service`."""

    settings: WebSettings
    client: Client  # for threads; async code uses `anyio.to_thread.run_sync` for calls of it
    keys: Keys
    watch: Watch  # waits for jobs without threads
    receiver: Receiver  # of uploads
    recent: Recent = field(default_factory=Recent)  # what many ask for at the same time
    # threads that make large answers, or search; those of other requests stay free
    makers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(MAKERS))


async def service(request: Request) -> Service:
    """The service of the application that got the request."""
    found: Service = request.app.state.service
    return found


ServiceOf = Annotated[Service, Depends(service)]
