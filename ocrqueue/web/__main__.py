"""`python -m ocrqueue.web`: serves the HTTP API, on loopback by default. On any other address it requires API keys."""

import gc
import socket
from types import FrameType

import uvicorn

from ocrqueue.errors import OcrError
from ocrqueue.process.ports import bound
from ocrqueue.settings import SettingsError, refuse_to_start
from ocrqueue.web.app import create_app
from ocrqueue.web.intake import connections
from ocrqueue.web.keys import Keys
from ocrqueue.web.monitoring import sparse_log
from ocrqueue.web.settings import WebSettings, web_settings
from ocrqueue.web.watch import Watch

_BACKLOG = 128  # connections that asyncio accepts at once, before those above the limit are closed
_SHUTDOWN_SECONDS = 10  # for requests to end after SIGTERM


def check(settings: WebSettings) -> None:
    """Raise SettingsError if other machines could reach the API without a key."""
    if not settings.is_private and not Keys(settings.keys).all():
        raise SettingsError(
            f"OCR_HTTP_ADDRESS={settings.address!r} opens the HTTP API to others: "
            "make a key first with `submit.py keys new NAME`, or leave the address at 127.0.0.1"
        )


def listen(settings: WebSettings) -> socket.socket:
    """A socket that is bound. Raises SettingsError if the address or port cannot be used."""
    return bound("the HTTP API", "HTTP", settings.address, settings.port)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        settings = web_settings()
        check(settings)
        most = connections.allowed()
        app = create_app(settings, most_connections=most)
        listening = listen(settings)
    except OcrError as e:
        refuse_to_start(e)
    config = uvicorn.Config(
        app,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        root_path=settings.root_path,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        http=connections.Connection,
        limit_concurrency=most,
        backlog=_BACKLOG,
        ws="none",
    )
    sparse_log.install()
    gc.freeze()  # what is loaded stays: a search for garbage in it would hold all requests for 70 ms, again and again
    _Server(config, app.state.service.watch).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends waiting requests and event streams at the signal, so that the process need not wait for them."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second signal ends at once."""
        self._watch.end()
        super().handle_exit(sig, frame)


if __name__ == "__main__":
    main()
