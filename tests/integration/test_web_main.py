"""The process `python -m ocrqueue.web`: where it listens, and when it refuses to start."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.support.harness import PROJECT, Stack, eventually, free_port, running
from tests.support.web import API, start_web


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
    assert done.returncode == 2
    return done.stdout + done.stderr


def test_it_listens_on_loopback_only(stack: Stack) -> None:
    web = start_web(stack)
    listening = {s.laddr for s in web.process.net_connections("inet") if s.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", web.port)}


def test_a_port_in_use_is_one_line(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(stack, OCR_HTTP_PORT=str(port))
    assert said.startswith(f"ocr: the HTTP API cannot listen on 127.0.0.1 port {port} (Address already in use)")
    assert said.count("\n") == 1


def test_a_damaged_file_of_keys_is_one_line(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    said = refused(stack, OCR_HTTP_ADDRESS="0.0.0.0", OCR_API_KEYS=str(tmp_path / "keys.json"))
    assert said.startswith("ocr: the file of API keys")
    assert said.count("\n") == 1


def test_it_stops_at_once_and_without_a_word_although_a_client_waits(stack: Stack) -> None:
    web = start_web(stack, "stopping")
    client = stack.client()
    client.spool.prepare()
    job = client.submit(b"x").id  # no worker opens it
    with web.client() as http, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http.get, f"{API}/jobs/{job}", params={"wait": 60})
        eventually(lambda: psutil.Process(web.process.pid).net_connections("tcp") and not waiting.done())
        web.kill(signal.SIGTERM)
        assert waiting.result(20).json()["state"] == "queued"
    assert "Traceback" not in stack.text("stopping")


@pytest.mark.thorough
def test_behind_a_proxy_paths_begin_with_its_prefix(stack: Stack) -> None:
    web = start_web(stack, "proxied", OCR_HTTP_ROOT_PATH="/ocr", OCR_HTTP_HOSTS="scans.example.org")
    with web.client() as http:
        answer = http.post(f"{API}/jobs", content=b"x", headers={"Host": "scans.example.org"})
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/ocr{API}/jobs/{answer.json()['job']}"
        shown = http.get(answer.headers["Location"].removeprefix("/ocr")).json()
        assert shown["job"] == answer.json()["job"]
        assert shown["links"] == answer.json()["links"]
        assert shown["links"]["pages"] == f"/ocr{API}/jobs/{shown['job']}/pages"
        assert http.get(f"{API}/jobs").json()["items"][0]["links"]["self"].startswith(f"/ocr{API}/jobs/")
        assert http.get("/livez", headers={"Host": "other.example.org"}).status_code == 403


def test_it_refuses_other_addresses_without_keys(stack: Stack) -> None:
    said = refused(stack, OCR_HTTP_ADDRESS="0.0.0.0", OCR_HTTP_PORT=str(free_port()))
    assert said.count("\n") == 1
    assert said.startswith("ocr: OCR_HTTP_ADDRESS='0.0.0.0' opens the HTTP API to others")
