"""A private Redis server for the tests: on a Unix socket in a temporary folder, without a port."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from ocrqueue.client import Client
from ocrqueue.ledger import Ledger
from ocrqueue.settings import Shared
from tests.support.harness import server_program, short_folder
from tests.support.ledger_steps import START

pytest.register_assert_rewrite("tests.support.ledger_pair")


def _wait_for(server: "subprocess.Popen[bytes]", client: "redis_py.Redis") -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and server.poll() is None:
        try:
            client.ping()
            return
        except redis_py.ConnectionError:
            time.sleep(0.02)
    raise RuntimeError("the private Redis server did not start")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Path]:
    """The socket of a private server that lives as long as the test session."""
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder:  # short: a socket's path may have 103 bytes on macOS
        socket = Path(folder) / "redis.sock"
        options = {"port": "0", "unixsocket": str(socket), "dir": folder, "save": "", "logfile": ""}
        command = [server_program(), *(part for name, value in options.items() for part in (f"--{name}", value))]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with redis_py.Redis(unix_socket_path=str(socket)) as client:
                _wait_for(server, client)
            yield socket
        finally:
            server.kill()
            server.wait()


@pytest.fixture
def redis(redis_server: Path) -> Iterator["redis_py.Redis"]:
    """A client of the private server, which is empty."""
    with redis_py.Redis(unix_socket_path=str(redis_server), decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(name="short_folder")
def _short_folder() -> Iterator[Path]:
    """A folder with a path that is short enough for a Unix socket."""
    with short_folder() as folder:
        yield folder


@pytest.fixture
def ledger(redis: "redis_py.Redis") -> Ledger:
    """A ledger on the private server. Its clock stands still unless a test moves it."""
    return Ledger(redis, clock=START)


@pytest.fixture
def client(redis: "redis_py.Redis", redis_server: Path, tmp_path: Path) -> Iterator[Client]:
    """A client of the private server, with its own spool."""
    (tmp_path / "spool").mkdir()
    settings = Shared(
        tmp_path, f"redis+socket://{redis_server}?virtual_host=0", False, str(tmp_path / "spool"), None, 100, 1000
    )
    client = Client(settings)
    yield client
    client.redis.close()
