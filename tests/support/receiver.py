"""A receiver of webhooks: a real HTTP server in this process, which answers as the test says and keeps what it got."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Call:
    """A request that arrived."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """The body, whose signature is verified by the library `standardwebhooks`."""
        return dict(Webhook(secret).verify(self.body, self.headers))

    @property
    def id(self) -> str:
        """The id of the delivery."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The data of the event."""
        return dict(json.loads(self.body)["data"])

    @property
    def event(self) -> str:
        """The type of the event."""
        return str(json.loads(self.body)["type"])


Answer = Callable[[Call], int]  # the HTTP status; may wait


class Receiver:
    """The server. `answer` may be replaced at any time."""

    def __init__(self, answer: Answer = lambda _: 204, port: int = 0) -> None:
        self.calls: list[Call] = []
        self.answer = answer
        self.location = "/elsewhere"  # of redirects
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The URL for webhooks."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def events(self) -> list[str]:
        """The types of the events that arrived."""
        return [call.event for call in self.calls]

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
            receiver.calls.append(call)
            status = receiver.answer(call)
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *args: Any) -> None:
            """Print nothing."""

    return Handler


@contextmanager
def receiving(answer: Answer = lambda _: 204, port: int = 0) -> Iterator[Receiver]:
    """A receiver that runs, on this port or a free one."""
    receiver = Receiver(answer, port)
    try:
        yield receiver
    finally:
        receiver.close()
