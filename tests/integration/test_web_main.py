"""The process `python -m ocrqueue.web`: where it listens, and when it refuses to start."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.support.harness import PROJECT, Stack, free_port, running
from tests.support.web import start_web


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        yield stack


def refused(stack: Stack, **env: str) -> str:
    """What the process prints when it does not start."""
    command = [sys.executable, "-m", "ocrqueue.web"]
    done = subprocess.run(
        command, cwd=PROJECT, env={**stack.env, **env}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_it_listens_on_loopback_only(stack: Stack) -> None:
    web = start_web(stack)
    listening = {s.laddr for s in web.process.net_connections("inet") if s.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", web.port)}


def test_it_refuses_other_addresses_without_keys(stack: Stack) -> None:
    said = refused(stack, OCR_HTTP_ADDRESS="0.0.0.0", OCR_HTTP_PORT=str(free_port()))
    assert said.count("\n") == 1
    assert said.startswith("ocr: OCR_HTTP_ADDRESS='0.0.0.0' opens the HTTP API to others")
