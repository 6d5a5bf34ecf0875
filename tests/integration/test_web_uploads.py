"""Uploads: broken, slow and excessive ones leave nothing, also after a kill; large ones use little memory."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocrqueue import names
from tests.support.harness import Stack, eventually, running
from tests.support.thorough import thorough_but
from tests.support.uploads import JOBS, Footprint, answered, chunk, connected, json_head, upload_head
from tests.support.web import Web, start_web

MB = 1 << 20
ANALYZE = "/documentintelligence/documentModels/prebuilt-read:analyze"
LIMITS = {"OCR_MAX_MB": "2", "OCR_HTTP_STALL_SECONDS": "2"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack without workers: the jobs stay as they were submitted."""
    with running() as stack:
        stack.client().spool.prepare()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack, **LIMITS)


@pytest.fixture
def footprint(stack: Stack) -> Footprint:
    found = Footprint(stack)
    assert found.now()[0] == []
    return found


# -- broken uploads, with raw sockets --------------------------------------------------------------------------------
@pytest.mark.parametrize("length", [MB, None], ids=["with a length", "chunked"])
def test_a_client_that_disconnects_leaves_nothing(web: Web, footprint: Footprint, length: int | None) -> None:
    with connected(web, upload_head(length)) as connection:
        content = b"x" * (MB // 2)
        connection.sendall(content if length else chunk(content))
        eventually(lambda: footprint.now()[0])
    eventually(footprint.is_as_before)


def test_a_client_that_sends_less_than_it_said_leaves_nothing(web: Web, footprint: Footprint) -> None:
    with connected(web, upload_head(1000) + b"x" * 999) as connection:
        eventually(lambda: footprint.now()[0])
        connection.shutdown(socket.SHUT_WR)
        assert answered(connection) == b""
    eventually(footprint.is_as_before)


def test_a_client_that_sends_more_than_it_said_gets_a_job_of_what_it_said(stack: Stack, web: Web) -> None:
    with connected(web, upload_head(10) + b"x" * 10 + b"more") as connection:
        head, _, body = answered(connection).partition(b"\r\n\r\n")
    assert b" 202 " in head.splitlines()[0]
    job = json.loads(body[: body.rindex(b"}") + 1])["job"]
    assert stack.client().ledger.job(job).source.bytes == 10


def test_a_body_with_two_ends_ends_its_connection(web: Web) -> None:
    """RFC 9112, section 6.1: what follows may not be taken for a request."""
    first = upload_head(5, "Transfer-Encoding: chunked") + chunk(b"x") + chunk(b"")
    with connected(web, first + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        found = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (found.count(b"HTTP/1.1 "), found.lower().count(b"connection: close")) == (1, 1)


@pytest.mark.parametrize("every", thorough_but(1, [0.2, None]), ids=["a byte now and then", "silent"])
def test_a_client_that_sends_too_slowly_is_refused(web: Web, footprint: Footprint, every: float | None) -> None:
    done = threading.Event()
    with connected(web, upload_head(MB) + b"x") as connection:

        def trickle() -> None:
            while every and not done.wait(every):
                connection.send(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        found = answered(connection)
        done.set()
        thread.join()
    assert b" 408 " in found
    assert b'"code":"upload_stalled"' in found
    eventually(footprint.is_as_before)


@pytest.mark.parametrize("length", [3 * MB, None], ids=["with a length", "chunked"])
def test_a_client_that_sends_too_much_reads_why(web: Web, footprint: Footprint, length: int | None) -> None:
    with connected(web, upload_head(length)) as connection:
        for _ in range(3):  # the answer does not come before everything was sent
            connection.sendall(b"x" * MB if length else chunk(b"x" * MB))
        found = answered(connection)
    assert b" 413 " in found
    assert b"connection: close" in found.lower()
    eventually(footprint.is_as_before)


def test_an_upload_that_is_announced_as_too_large_is_refused_before_it_is_sent(web: Web) -> None:
    with connected(web, upload_head(3 * MB, "Expect: 100-continue")) as connection:
        found = answered(connection)
    assert found.startswith(b"HTTP/1.1 413 ")


# -- the number of uploads, and admission ----------------------------------------------------------------------------
@pytest.mark.thorough
def test_more_uploads_than_allowed_wait_for_their_turn(stack: Stack, footprint: Footprint) -> None:
    web = start_web(stack, "narrow", OCR_HTTP_UPLOADS="1")
    with web.client() as client, connected(web, upload_head(10) + b"x") as slow, ThreadPoolExecutor(1) as pool:
        eventually(lambda: footprint.now()[0])
        waiting = pool.submit(client.post, JOBS, content=b"second")
        slow.sendall(b"x" * 9)
        assert b" 202 " in answered(slow)
        assert waiting.result().status_code == 202
    with web.client() as client, connected(web, upload_head(10) + b"x"):
        eventually(lambda: footprint.now()[0])
        for body in ({"content": b"second"}, {"json": {"url": "http://example.org/a"}}):
            refused = client.post(JOBS, **body)
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert int(refused.headers["Retry-After"]) > 0
    with web.client() as client, connected(web, json_head(40_000) + b'{"x": "' + b"A" * 20_000):
        eventually(lambda: footprint.now()[0])
        assert client.post(JOBS, content=b"second").status_code == 503  # a document in JSON takes a place, too
    web.kill(signal.SIGTERM)


def test_a_full_queue_refuses_before_it_receives_but_not_a_repeat(stack: Stack) -> None:
    web = start_web(stack, "full", OCR_MAX_QUEUED_PAGES="100000")
    with web.client() as client:
        assert client.post(JOBS, content=b"known", headers={"Idempotency-Key": "known"}).status_code == 202
        stack.redis.incrby(names.BACKLOG, 100_000)
        try:
            with connected(web, upload_head(MB)) as connection:  # no byte of the body is sent
                found = answered(connection)
            assert b" 503 " in found
            assert b'"code":"queue_full"' in found
            assert b"retry-after" in found.lower()
            again = client.post(JOBS, content=b"known", headers={"Idempotency-Key": "known"})
            assert again.status_code == 200
        finally:
            stack.redis.decrby(names.BACKLOG, 100_000)
    web.kill(signal.SIGTERM)


@pytest.mark.thorough
def test_an_upload_of_a_killed_process_is_removed_by_the_next(stack: Stack, footprint: Footprint) -> None:
    first, second = (start_web(stack, name) for name in ("first", "second"))
    with connected(first, upload_head(MB) + b"x"), connected(second, upload_head(2) + b"y") as other:
        eventually(lambda: len(footprint.now()[0]) == 2)
        first.kill()
        assert len(footprint.now()[0]) == 2
        third = start_web(stack, "third")
        assert len(footprint.now()[0]) == 1  # of the second process, which still receives it
        other.sendall(b"y")
        assert b" 202 " in answered(other)
    assert footprint.now()[0] == []
    for web in (second, third):
        web.kill(signal.SIGTERM)


# -- memory ----------------------------------------------------------------------------------------------------------
@pytest.mark.thorough
def test_a_large_document_in_json_uses_little_memory(stack: Stack) -> None:
    web = start_web(stack, "base64")
    size = 96 * MB

    def body(size: int) -> Iterator[bytes]:
        yield b'{"base64Source": "'
        for _ in range(0, size, 3 * MB):
            yield b"eHh4" * MB
        yield b'"}'

    with web.client() as client:
        headers = {"Content-Type": "application/json"}
        assert client.post(ANALYZE, content=body(3 * MB), headers=headers).status_code == 202  # loads what it needs
        before = web.process.memory_info().rss
        answer = client.post(ANALYZE, content=body(size), headers=headers)
    assert answer.status_code == 202, answer.text
    job = answer.headers["Operation-Location"].rpartition("/")[2].partition("?")[0]
    assert stack.client().ledger.job(job).source.bytes == size
    assert web.process.memory_info().rss - before <= 32 * MB
    web.kill(signal.SIGTERM)


@pytest.mark.thorough
def test_a_large_upload_uses_little_memory(stack: Stack) -> None:
    web = start_web(stack, "large")
    with web.client() as client:
        client.post(JOBS, content=b"x" * MB)  # what is loaded on first use
        before, largest = web.process.memory_info().rss, 0

        def body() -> Iterator[bytes]:
            nonlocal largest
            for number in range(512):
                if number % 16 == 0:
                    largest = max(largest, web.process.memory_info().rss)
                yield bytes([number % 251]) * MB

        answer = client.post(JOBS, content=body(), headers={"Content-Length": str(512 * MB)})
    assert answer.status_code == 202
    assert stack.client().ledger.job(answer.json()["job"]).source.bytes == 512 * MB
    assert max(largest, web.process.memory_info().rss) - before <= 32 * MB
    web.kill(signal.SIGTERM)
