"""A real S3 server for tests and benchmarks, SeaweedFS, and a proxy in front of it that counts requests."""

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ocrqueue.client import Client
from tests.support.harness import Stack

BUCKET, KEY, SECRET = "ocr-tests", "test-key", "test-secret"


def free_port() -> int:
    """A port of this machine that nobody listens on, as little as on the one 10,000 above, which SeaweedFS takes too.

    Both are below those that Linux gives to clients.
    """
    while True:
        port = random.randrange(12_000, 22_000)
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            return port


class ObjectStore:
    """SeaweedFS with one bucket, which listens on this machine only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._others = free_port(), [free_port() for _ in range(5)]
        self.process: subprocess.Popen[bytes] | None = None
        self._has_served = False

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def env(self, address: str | None = None) -> dict[str, str]:
        """The environment of a client of this server, or of a proxy in front of it."""
        return {
            "AWS_ENDPOINT_URL": address or self.address,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start the server, and wait until it serves its bucket. It is on the same port each time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(1 if self._has_served else 5):
            self._spawn()
            if self._serves():
                self._has_served = True
                return
            if not self._has_served:  # another program was faster at one of the ports
                self.port, self._others = free_port(), [free_port() for _ in range(5)]
        raise RuntimeError(f"SeaweedFS ended: {(self.folder / 'log').read_text()[-2000:]}")

    def _spawn(self) -> None:
        names = ("master.port", "volume.port", "filer.port", "s3.port.iceberg", "s3.port.grpc")
        ports = [f"-{name}={port}" for name, port in zip(names, self._others, strict=True)]
        weed = [str(Path(sys.executable).parent / "weed"), "-logtostderr=true", "mini", f"-dir={self.folder}"]
        local = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false", "-webdav=false"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*weed, *local, f"-s3.port={self.port}", "-s3.autoCreateBucket=false", *ports],
                env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "S3_BUCKET": BUCKET},
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def _serves(self) -> bool:
        """Wait until the server serves its bucket. False: it has ended."""
        assert self.process is not None
        end = time.monotonic() + 60
        while True:
            try:
                self.client().put_object(Bucket=BUCKET, Key="ready", Body=b"")
                return self.process.poll() is None  # else another server has answered
            except Exception:
                if self.process.poll() is not None:
                    return False
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def stop(self) -> None:
        """End the server; its objects stay."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self) -> Any:
        """A client of the server itself, which tries once."""
        # Not at the top: the tests that need it are collected, and then left out, where it is not installed.
        from botocore.config import Config
        from botocore.session import get_session

        config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        return get_session().create_client(
            "s3", endpoint_url=self.address, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
            region_name="us-east-1", config=config,
        )  # fmt: skip


class CountingProxy:
    """A proxy that notes each request as (method, key or listed prefix, bytes up, bytes down).

    While `is_away`, it closes each connection without an answer. It holds each request back for `delay` seconds.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, str, int, int]] = []
        self.is_away = False
        self.delay = 0.0
        self.at_once: set[frozenset[str]] = set()  # pairs of requests, as "METHOD key", that were under way together
        under_way: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                shown = f"{self.command} {_shown(self.path)}"
                proxy.at_once |= {frozenset((shown, other)) for other in list(under_way)}
                under_way.append(shown)
                try:
                    self.relay()
                finally:
                    under_way.remove(shown)

            def relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if proxy.is_away:
                    self.close_connection = True
                    return
                time.sleep(proxy.delay)
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "expect")}
                server.request(self.command, self.path, body, headers)
                answer = server.getresponse()
                content = answer.read()
                proxy.requests.append((self.command, _shown(self.path), len(body), len(content)))
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else None
                if answer.status != 204:
                    self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                server.close()

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815 -- the library's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def taken(self) -> list[tuple[str, str, int, int]]:
        """The requests since the last call."""
        found, self.requests = self.requests, []
        return found

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _shown(target: str) -> str:
    parts = urlsplit(target)
    listed = [unquote(p.removeprefix("prefix=")) for p in parts.query.split("&") if p.startswith("prefix=")]
    return f"list {listed[0]}" if listed else unquote(parts.path)


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class S3Stack(Stack):
    """A stack whose spool is in the bucket, behind the counting proxy. Its page worker has its own data folder."""

    def __init__(self, folder: Path, **env: str) -> None:
        super().__init__(folder, **env)
        self.store = ObjectStore(folder / "s3")
        self.store.start()
        self.proxy = CountingProxy(self.store.port)
        self.url = f"s3://{BUCKET}/ocr"
        self.env |= {**self.store.env(self.proxy.address), "OCR_SPOOL_URL": self.url}
        self.app = "tasks.app"

    def _celery(self, *args: str) -> list[str]:
        return [self.app if part == "tasks.app" else part for part in super()._celery(*args)]

    def client(self, **changes: object) -> Client:
        return super().client(**{"spool": self.url, **changes})

    def close(self) -> None:
        super().close()
        self.proxy.close()
        self.store.stop()
