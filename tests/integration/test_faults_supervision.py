"""`make up` with the real Procfile: each process is killed in turn, and supervisord restarts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from redis.exceptions import RedisError

from ocrqueue.client import Client
from ocrqueue.redis_url.socket import redis_url
from ocrqueue.settings import Shared
from tests.support import numbered
from tests.support.harness import NUMBERED, PROJECT, eventually

# A part of each process's command line that no other process has.
MARKS = {"redis": "-server", "worker": "pages@", "documents": "documents@", "beat": " beat ", "flower": "flower"}
FAILS = "fails: python -c \"import time; print(time.time(), file=open('tries', 'a')); raise SystemExit(1)\"\n"


@pytest.fixture
def up(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    (short_folder / "Procfile").write_text((PROJECT / "Procfile").read_text() + FAILS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ, "OCR_DATA_DIR": str(short_folder / "data"), "PYTHONPATH": str(PROJECT), "REDIS_URL": "",
        "OCR_WORKER_ENGINES": NUMBERED, "OCR_LEASE_SECONDS": "4", "OCR_RECONCILE_SECONDS": "1",
        "OCR_FLOWER_PORT": str(port), "OCR_CHILDREN": "1",
    }  # fmt: skip
    with (short_folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ocrqueue.stack"], cwd=short_folder, env=env, stdout=log, stderr=log
        )
    yield process
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert process.wait(90) == 0
    assert psutil.wait_procs(family, timeout=10)[1] == []


def find(up: "subprocess.Popen[bytes]", name: str) -> psutil.Process | None:
    """A running process of the Procfile, which is a direct child of supervisord; None if it does not run."""
    (supervisord,) = psutil.Process(up.pid).children()
    for child in supervisord.children():
        with suppress(psutil.NoSuchProcess):  # ended a moment ago
            if child.status() != psutil.STATUS_ZOMBIE and MARKS[name] in " ".join(child.cmdline()):
                return child
    return None


def test_each_killed_process_is_restarted(up: "subprocess.Popen[bytes]", short_folder: Path) -> None:
    data = short_folder / "data"
    eventually((data / "redis" / "socket").exists, 30)
    client = Client(Shared(data, redis_url(data), True, str(data / "spool"), None, 1000, 2**20))

    def answers() -> bool:
        try:
            return bool(client.redis.ping())
        except RedisError:
            return False

    def end_of_a_job() -> tuple[str, str | None]:
        job = client.submit(numbered.document(1, salt=time.monotonic_ns()), engine="numbered")
        end = job.wait(timeout=60)
        return end.state, end.message

    eventually(lambda: (data / "spool").exists() and all(find(up, name) for name in MARKS), 30)
    eventually(answers, 30)
    assert end_of_a_job() == ("done", None)
    time.sleep(5)  # after this time supervisord counts a process as started
    for name in MARKS:
        old = find(up, name)
        assert old is not None
        old.kill()
        eventually(lambda name=name, old=old: (new := find(up, name)) and new.pid != old.pid, 30)  # type: ignore[misc]
    eventually(answers, 30)
    assert end_of_a_job() == ("done", None)
    tries = [float(line) for line in (short_folder / "tries").read_text().split()]
    n = len(tries) - 1
    assert n >= 3
    assert tries[-1] - tries[0] > n * (n + 1) / 2 - 1, "each pause should be a second longer than the one before"
