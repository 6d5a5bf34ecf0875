"""The socket of the embedded Redis."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from ocrqueue.redis_url.socket import redis_url, socket_path


@pytest.fixture(autouse=True)
def _own_temp(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("OCR_REDIS_SERVER", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")


def test_a_data_folder_has_always_the_same_socket(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "data")
    path = socket_path(tmp_path / "data")
    assert path == socket_path(tmp_path / "x" / ".." / "data") == socket_path(tmp_path / "link")
    assert path.name == "redis.sock"
    assert path.parent.name.startswith(f"ocr-queue-{os.getuid()}-")


def test_two_data_folders_have_two_sockets(tmp_path):
    assert socket_path(tmp_path / "a") != socket_path(tmp_path / "b")


def test_the_runtime_folder_is_preferred(monkeypatch, tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert socket_path(tmp_path).parent.parent == Path(runtime)


@pytest.mark.parametrize("named", ["/does/not/exist", "", "/dev/null/x"])
def test_an_invalid_runtime_folder_is_ignored(monkeypatch, tmp_path, named):
    monkeypatch.setenv("XDG_RUNTIME_DIR", named)
    assert socket_path(tmp_path).parent.parent == Path("/tmp")


def test_a_temporary_folder_with_a_long_path_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", "/tmp/" + "long/" * 20)
    path = socket_path(tmp_path)
    assert path.parent.parent == Path("/tmp")
    assert len(os.fsencode(path)) <= 103


def test_the_socket_of_a_running_server_is_preferred(tmp_path):
    (tmp_path / "redis").mkdir()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        elsewhere = Path(folder) / "redis.sock"
        (tmp_path / "redis" / "socket").write_text(f"{elsewhere}\n")
        assert socket_path(tmp_path) != elsewhere
        server.bind(str(elsewhere))
        assert socket_path(tmp_path) == elsewhere


def test_celery_and_redis_py_get_the_same_server(tmp_path):
    assert redis_url(tmp_path) == f"redis+socket://{socket_path(tmp_path)}?virtual_host=0"
