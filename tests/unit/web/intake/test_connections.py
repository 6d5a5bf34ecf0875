"""Connections that hold their place without a request, against a real server with a small application."""

import asyncio
import logging
import resource
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from ocrqueue.web.intake import connections
from ocrqueue.web.monitoring.sparse_log import SparseLog
from tests.support.harness import eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MOST = 8
LONG = b"x" * (64 << 20)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers / at once, /wait when the server ends, /long with more than a socket holds."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/wait":
        await asyncio.sleep(60)
    await send({"type": "http.response.body", "body": LONG if scope["path"] == "/long" else b"ok", "more_body": False})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Address of a server that allows eight connections, and is impatient."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(connections, "TAKING_SECONDS", 1.0)
    config = uvicorn.Config(
        app, log_level="error", http=connections.Connection, limit_concurrency=MOST, ws="none", lifespan="off",
        timeout_graceful_shutdown=1, timeout_keep_alive=60,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        eventually(lambda: server.started)
        yield listening.getsockname()
        server.should_exit = True
        thread.join()


def connected(address: tuple[str, int], first: bytes = b"") -> socket.socket:
    found = socket.create_connection(address, 30)
    found.sendall(first)
    return found


def whole(connection: socket.socket) -> bytes:
    """What arrives until the server closes the connection, or resets it."""
    found = b""
    try:
        while piece := connection.recv(1 << 20):
            found += piece
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("first", [b"", GET[:-2], GET, GET + GET[:20]], ids=["nothing", "half", "idle", "half again"])
def test_a_connection_without_a_request_is_closed(address: tuple[str, int], first: bytes) -> None:
    with connected(address, first) as connection:
        assert whole(connection).count(b" 200 OK") == (GET in first)


def test_a_connection_that_does_not_take_its_answer_is_closed(address: tuple[str, int]) -> None:
    with connected(address, GET.replace(b"/", b"/long", 1)) as connection:
        threading.Event().wait(3)
        assert len(whole(connection)) < len(LONG)


def test_the_one_that_has_waited_longest_makes_room(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    idle = [connected(address, GET[:-2]) for _ in range(3 * MOST)]
    with connected(address, GET) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert whole(idle[0]) == b""
    idle[-1].sendall(b"\r\n")
    assert idle[-1].recv(4096).startswith(b"HTTP/1.1 200"), "the newest were kept"
    for one in idle:
        one.close()


def test_requests_that_are_under_way_are_kept_and_the_next_is_refused(address: tuple[str, int]) -> None:
    busy = [connected(address, GET.replace(b"/", b"/wait", 1)) for _ in range(MOST - 1)]
    heads = [one.recv(4096) for one in busy]
    with connected(address, GET) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 503")
    for one, head in zip(busy, heads, strict=True):
        assert head.startswith(b"HTTP/1.1 200")
        one.close()


def test_half_of_the_files_are_for_connections() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        most = connections.allowed()
        assert 2 * most <= resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert most >= min(5000, before[0] // 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_lines_that_repeat_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ocrqueue.web.monitoring.sparse_log.time.monotonic", lambda: now[0])
    sparse = SparseLog()

    def passed(text: str) -> logging.LogRecord | None:
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, text, (), None)
        return record if sparse.filter(record) else None

    assert sum(passed("out of files") is not None for _ in range(1000)) == 10
    assert passed("another") is not None
    now[0] += 61
    again = passed("out of files")
    assert again is not None
    assert again.getMessage() == "out of files (990 more such lines were left out)"
