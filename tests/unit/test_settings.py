"""Settings: values, defaults, `.env`, and errors of one line with the variable, its value and the allowed values."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery
from redis import Redis

from ocrqueue.settings import SettingsError, boolean, choice, integer, shared, text, unknown_variables, words
from tests.support.thorough import thorough_but

PROJECT = Path(__file__).parents[2]


def test_a_setting_that_is_empty_or_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_X", "  ")
    assert integer("OCR_X", 7, 1) == 7
    assert words("OCR_X", ("a",), "a|b", "a or b") == ("a",)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("-1", lambda: integer("OCR_X", 7, 1)),
        ("many", lambda: integer("OCR_X", 7, 1, 9)),
        ("perhaps", lambda: boolean("OCR_X", True)),
        ("c", lambda: choice("OCR_X", "a", ("a", "b"))),
        ("25:00", lambda: text("OCR_X", "03:00", r"[01]\d:[0-5]\d", "a local time such as 03:00")),
        ("a,,c", lambda: words("OCR_X", (), "a|b", "a or b")),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, value: str, read: object) -> None:
    monkeypatch.setenv("OCR_X", value)
    with pytest.raises(SettingsError) as raised:
        read()  # type: ignore[operator]
    message = str(raised.value)
    assert message.startswith(f"OCR_X={value!r} is not allowed: ")
    assert "\n" not in message


def test_variables_that_are_not_settings_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OCR_SIZE", "OCR_SISE", "OCR_QQQQQQ", "OCR_REDIS_SERVER"):
        monkeypatch.setenv(name, "1")
    integer("OCR_SIZE", 7, 1)
    assert [line for line in unknown_variables() if "SI" in line or "QQ" in line] == [
        "OCR_QQQQQQ is not a setting, and changes nothing",
        "OCR_SISE is not a setting, and changes nothing: OCR_SIZE is one",
    ]
    assert not any("OCR_REDIS_SERVER" in line for line in unknown_variables())


def test_the_file_env_in_the_folder_of_the_project_is_read(tmp_path: Path) -> None:
    """In a copy of the project. The environment takes precedence; an empty value means the default."""
    shutil.copytree(PROJECT / "ocrqueue", tmp_path / "ocrqueue", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "worker_config.py", tmp_path)
    (tmp_path / ".env").write_text("OCR_CHILDREN=3\nOCR_PAGE_SECONDS=77\nOCR_LOAD_SECONDS=\nOCR_SISE=1\nOCR_MAX_MB=9\n")
    program = """
import worker_config as w
from ocrqueue.settings import shared, unknown_variables
print(w.OCR_CHILDREN, w.LIMITS.page_seconds, w.LIMITS.load_seconds, shared().max_bytes, list(unknown_variables()))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OCR_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env={**clean, "OCR_PAGE_SECONDS": "88"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split("[")[0].split() == ["3", "88", "600", str(9 * 2**20)], done.stderr
    assert "OCR_SISE is not a setting" in done.stdout


def test_values_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_X", "a, b")
    assert words("OCR_X", (), "a|b", "a or b") == ("a", "b")
    monkeypatch.setenv("OCR_X", "off")
    assert boolean("OCR_X", True) is False


def test_a_setting_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The end of the line is not part of the value. An empty variable beside the file counts as not set."""
    file = tmp_path / "secret"
    file.write_text("redis://:p%2Fw@host/3\n")
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("REDIS_URL_FILE", str(file))
    assert shared().redis == "redis://:p%2Fw@host/3"
    file.write_text(" 12\r\n")
    monkeypatch.setenv("OCR_X_FILE", str(file))
    assert integer("OCR_X", 7, 1) == 12
    assert not any("OCR_X_FILE" in line for line in unknown_variables())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "OCR_X_FILE={file!r} cannot be read (No such file or directory): name a file that holds OCR_X"),
        (b"\n", "OCR_X_FILE={file!r} is empty: write OCR_X into it"),
        (b"\xff\xfe\x00", "OCR_X_FILE={file!r} cannot be read (it is not text): name a file that holds OCR_X"),
        (b"hunter2", "OCR_X_FILE={file!r}: what is in the file is not allowed: user:password"),
    ],
)
def test_a_wrong_file_of_a_setting_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("OCR_X_FILE", str(file))
    with pytest.raises(SettingsError) as raised:
        text("OCR_X", "", r"[^\s:]+:\S+", "user:password")
    assert str(raised.value) == says.format(file=str(file))


def test_a_setting_cannot_be_given_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCR_X", "1")
    monkeypatch.setenv("OCR_X_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=r"^OCR_X and OCR_X_FILE are both set: remove one of them$"):
        integer("OCR_X", 7, 1)


@pytest.mark.parametrize(
    "command",
    thorough_but(
        3, ["celery -A tasks.app worker", "ocrqueue.web", "submit jobs", "tasks.app worker", "tasks.app beat",
            "worker.flower", "ocrqueue.stack", "ocrqueue.stack worker", "ocrqueue.stack.embedded"],
    ),
)  # fmt: skip
def test_no_process_starts_without_the_file_of_its_secret(command: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OCR_") and name != "REDIS_URL"}
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=PROJECT, capture_output=True, text=True, timeout=60,
        env={**clean, "REDIS_URL_FILE": str(tmp_path / "none"), "OCR_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "REDIS_URL_FILE=" in lines[0]
    assert done.returncode == 2


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://user:hunter2@host/0",
        *(f"redis://user:{password}@host:6379/0" for password in ("hunter2/x", "hunter2#x", "hunter2?x", "[hunter2")),
        "redis://user:hunter2;x@host:6379/0",
        "redis://user:12/hunter2@host/0",  # would be port 12 of the host `user`
        "redis://user:12/hunter2@host?db=0",
        "redis://user:12#hunter2@host",
        "redis://user:12?hunter2@host",
        "redis://user:12?db=0hunter2@host",
        "redis://:hunter2@host:99999/0",
        "redis://host/0?foo=hunter2",
        "redis://host/0?max_connections=hunter2",
        "redis://host/0?socket_timeout=9",  # Celery would end with a traceback
        "redis://host/hunter2",
        "redis://host?db=hunter2",
        "rediss://host/0?ssl_cert_reqs=hunter2",
        "unix://hunter2/redis.sock",
        "unix://:12/hunter2@/run/redis.sock",
        "unix:///run/redis.sock?db=hunter2",
        "redis+socket:///run/redis.sock?virtual_host=hunter2",
        "unix://",
        "sentinel://:hunter2/x@host/0?master=ocr",
        "sentinel://:hunter2?x@host/0?master=ocr",
        "sentinels://host/0?master=ocr&ssl_cert_reqs=hunter2",
    ],
)
def test_a_url_of_redis_that_cannot_be_used_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Neither redis-py nor Celery sees it: their errors show parts of the password."""
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError) as raised:
        shared()
    message = str(raised.value)
    assert message.startswith("REDIS_URL is not allowed: a URL such as redis://host:6379/0, ")
    assert message.endswith("in a password, characters such as / # ? @ are percent-encoded (%2F %23 %3F %40)")
    assert "hunter2" not in message
    assert raised.value.__cause__ is None


def test_a_key_of_tls_without_its_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "rediss://host/0?ssl_keyfile=key.pem")
    with pytest.raises(SettingsError, match="ssl_keyfile needs ssl_certfile"):
        shared()


@pytest.mark.parametrize(
    ("given", "database"),
    [
        ("unix:///run/redis.sock?db=2", 2),
        ("unix:///run/redis.sock?password=x&db=2", 2),
        ("redis+socket:///run/redis.sock?virtual_host=2", 2),
        ("redis+socket:///run/redis.sock", 0),
        ("redis://host/2", 2),
        ("redis://host/?db=2", 2),
        ("redis://user:p%2Fw@host:6380?db=2", 2),
        ("redis://[::1]:6380/1?db=2", 2),
        ("redis://host", 0),
        ("rediss://host/2?ssl_ca_certs=ca.pem", 2),
        ("rediss://host/?db=2", 2),
        ("rediss://host:6380/2?ssl_certfile=c.pem&ssl_keyfile=k.pem&ssl_cert_reqs=none&ssl_check_hostname=false", 2),
        ("redis://user:p%2F%23%3F%40%3Bw@host/2", 2),
        ("unix://user:p%2Fw@/run/redis.sock?db=2", 2),
    ],
)
def test_celery_and_redis_py_use_the_same_server_and_database(
    monkeypatch: pytest.MonkeyPatch, given: str, database: int
) -> None:
    """Celery's connection for messages, its result backend, and redis-py."""
    monkeypatch.setenv("REDIS_URL", given)
    found = shared()
    assert not found.embedded
    with (
        Celery(broker=found.redis, backend=found.redis) as app,
        app.connection_for_write() as connection,
        Redis.from_url(found.redis_py) as redis,
    ):
        theirs, ours = app.backend.connparams, redis.connection_pool.connection_kwargs
        assert (theirs.get("db") or 0, ours.get("db", 0)) == (database, database)
        for name in ("host", "path", "username", "password"):
            assert theirs.get(name) == ours.get(name), name
        if "path" not in theirs:  # kombu takes a socket's URL apart when it connects
            assert (connection.virtual_host or "/").lstrip("/") == (str(database) if database else "")
            assert (connection.hostname, connection.password) == (ours["host"], ours.get("password"))
