"""The embedded Redis server: who can reach it, what it keeps, and the errors that stop its start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from ocrqueue.stack.embedded import socket_path
from tests.support.harness import short_folder


@pytest.fixture
def data(monkeypatch) -> Iterator[Path]:
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder / "data"


def environment(data: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "OCR_DATA_DIR": str(data), "REDIS_URL": "", **more}


def connect(data: Path) -> "redis.Redis":
    return redis.Redis.from_url(f"unix://{socket_path(data)}?db=0", decode_responses=True)


def wait_for(client: "redis.Redis", seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def server(data: Path) -> Iterator["tuple[subprocess.Popen[bytes], redis.Redis]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ocrqueue.stack.embedded"], env=environment(data), stdout=subprocess.DEVNULL
    )
    client = None
    try:
        client = connect_when_up(data)
        yield process, client
    finally:
        if client:
            client.close()
        process.terminate()
        process.wait(20)


def connect_when_up(data: Path) -> "redis.Redis":
    end = time.monotonic() + 20
    while not socket_path(data).is_socket() and time.monotonic() < end:
        time.sleep(0.05)
    client = connect(data)
    wait_for(client)
    return client


def test_the_server_is_private_and_durable(data):
    with server(data) as (_, client):
        config = client.config_get("*")
        assert config["port"] == "0"
        assert config["appendonly"] == "yes"
        assert config["appendfsync"] == "everysec"
        assert config["maxmemory-policy"] == "noeviction"
        assert Path(config["dir"]) == data / "redis"
    sock = socket_path(data)
    assert sock.parent.stat().st_mode & 0o777 == 0o700
    assert (data / "redis").stat().st_mode & 0o777 == 0o700


def test_the_data_of_the_server_survives_a_kill(data):
    with server(data) as (process, client):
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 5000)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        assert socket_path(data).is_socket()
    with server(data) as (_, client):
        assert client.get("kept") == "yes"


def test_a_client_with_another_temporary_folder_finds_the_server(data, monkeypatch):
    with server(data) as (_, client):
        client.set("here", "1")
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        with connect(data) as other:
            assert other.get("here") == "1"


def second(data: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ocrqueue.stack.embedded"],
        env=environment(data, **more),
        capture_output=True,
        text=True,
        timeout=30,
    )


def assert_one_line(text: str, *words: str) -> None:
    assert text.count("\n") == 1, text
    assert all(word in text for word in words), text


def test_a_second_server_is_refused(data):
    with server(data) as (_, client):
        run = second(data)
        assert run.returncode == 1
        assert_one_line(run.stderr, "already listens", str(socket_path(data)))
        assert client.ping()


def test_with_a_redis_url_no_server_is_started(data):
    run = second(data, REDIS_URL="redis://example.org/0")
    assert run.returncode == 0
    assert_one_line(run.stderr, "REDIS_URL")
    assert not data.exists()


def test_a_folder_open_to_others_is_refused_in_one_line(data):
    folder = socket_path(data).parent
    folder.mkdir()
    folder.chmod(0o777)
    run = second(data)
    assert run.returncode == 1
    assert_one_line(run.stderr, "open to other users", str(folder))


def test_a_missing_server_program_is_refused_in_one_line(data):
    run = second(data, OCR_REDIS_SERVER="/does/not/exist")
    assert run.returncode == 1
    assert_one_line(run.stderr, "OCR_REDIS_SERVER", "/does/not/exist")


def test_a_data_folder_that_cannot_be_written_is_refused_in_one_line(data):
    data.parent.joinpath("file").touch()
    run = second(data.parent / "file" / "data")
    assert run.returncode == 1
    assert_one_line(run.stderr, "OCR_DATA_DIR")
