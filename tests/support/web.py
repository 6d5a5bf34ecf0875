"""A real `python -m ocrqueue.web` beside the workers of a test's stack."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from ocrqueue.web.app import OTHERS, OWN
from ocrqueue.web.keys import Key, Keys, Right
from ocrqueue.web.settings import PREFIX
from tests.support.harness import Stack, eventually, free_port

API = "/api/v1"
SECONDS = 60.0  # for one answer, on a busy machine


@dataclass(frozen=True, slots=True)
class Web:
    """A process that serves the HTTP API of a stack."""

    stack: Stack
    name: str  # of the process in the stack; its output is `stack.text(name)`
    port: int

    @property
    def url(self) -> str:
        """Scheme and address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """The URL of the project's own API, without a slash at the end."""
        return self.url + API

    @property
    def process(self) -> psutil.Process:
        """The process itself."""
        return psutil.Process(self.stack.processes[self.name].pid)

    def client(self, key: str | None = None) -> httpx2.Client:
        """An HTTP client whose paths are relative to the server: `client.get("/api/v1/jobs")`. To be closed."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=SECONDS, trust_env=False)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process, and wait until it has ended."""
        self.stack.kill(self.name, number)


def start_web(
    stack: Stack, name: str = "web", port: int | None = None, program: str = "ocrqueue.web", **env: str
) -> Web:
    """Start the API on a port of loopback, by default any free one; returns once it answers.

    Several may run beside one stack. `program` is the module that is run.
    """
    port = port or free_port()
    process = stack.spawn(name, [sys.executable, "-m", program], OCR_HTTP_PORT=str(port), **env)
    web = Web(stack, name, port)

    def answers() -> bool:
        assert process.poll() is None, f"{name} ended:\n{stack.text(name)[-3000:]}"
        try:
            return httpx2.get(f"{web.url}/livez", timeout=SECONDS, trust_env=False).is_success
        except httpx2.TransportError:
            return False

    eventually(answers, 60)
    return web


def endpoints() -> list[str]:
    """Method and path of every endpoint of the application."""
    own = [(PREFIX + route.path, route) for router in OWN for route in router.routes]  # type: ignore[attr-defined]
    others = [(route.path, route) for router in OTHERS for route in router.routes]  # type: ignore[attr-defined]
    return [f"{method} {path}" for path, route in own + others for method in route.methods]  # type: ignore[attr-defined]


def new_key(stack: Stack, name: str, *rights: Right, keys: Path | None = None, **limits: int) -> str:
    """Add an API key to the file of a stack, or to the file `keys`, and return it.

    `rights`: by default, to submit, and to read its own jobs. `limits`: `requests` a minute, `open_pages`.
    """
    file = keys or Path(stack.env.get("OCR_API_KEYS", os.fspath(stack.folder / "data" / "api-keys.json")))
    chosen = frozenset(rights or (Right.SUBMIT, Right.READ))
    return Keys(file).add(Key(name, chosen, limits.get("requests"), limits.get("open_pages")))
