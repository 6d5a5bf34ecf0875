"""`make up` with small test processes under the real supervisord."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from ocrqueue.redis_url.socket import NOTE
from tests.support.harness import short_folder
from tests.support.signals import default_sigint, in_background
from tests.support.thorough import thorough_but

PROJECT = Path(__file__).parents[2]
PROCFILE = """\
redis: python -m ocrqueue.stack.embedded
steady: python steady.py
fails: python -c "import sys; sys.exit('OCR_X is wrong')"
"""
# At SIGTERM, writes whether its child still runs: only the main process may receive the signal.
STEADY = """\
import pathlib, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
def stop(*_):
    pathlib.Path("stopped").write_text(str(child.poll()))
    child.kill(); child.wait()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path("started").write_text(str(child.pid))
while True:
    signal.pause()
"""


@pytest.fixture
def project() -> Iterator[Path]:
    with short_folder() as folder:
        (folder / "worker_config.py").touch()
        (folder / "Procfile").write_text(PROCFILE)
        (folder / "steady.py").write_text(STEADY)
        yield folder


def environment(project: Path, **more: str) -> dict[str, str]:
    data = {"OCR_DATA_DIR": str(project / "data"), "XDG_RUNTIME_DIR": str(project), "PYTHONPATH": str(PROJECT)}
    return {**os.environ, "REDIS_URL": "", **data, **more}


@contextmanager
def stack(
    project: Path, start: "AbstractContextManager[None] | None" = None, **more: str
) -> "Iterator[subprocess.Popen[str]]":
    with start or default_sigint():
        process = subprocess.Popen(
            [sys.executable, "-m", "ocrqueue.stack"],
            cwd=project,
            env=environment(project, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def refused(project: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ocrqueue.stack"],
        cwd=project,
        env=environment(project, **more),
        capture_output=True,
        text=True,
        timeout=60,
    )


def wait_for(path: Path) -> str:
    end = time.monotonic() + 30
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.05)
    return path.read_text()


def log_shows(project: Path, name: str, text: str) -> None:
    log = project / "data" / "logs" / name
    end = time.monotonic() + 30
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < end, f"{name} never said {text!r}"
        time.sleep(0.05)


@pytest.mark.parametrize("number", thorough_but(1, [signal.SIGTERM, signal.SIGINT]))
def test_a_stack_starts_and_ends_cleanly(project, number):
    with stack(project) as process:
        wait_for(project / "started")
        log_shows(project, "redis.log", "Ready to accept connections")
        log_shows(project, "fails.log", "OCR_X is wrong")
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert psutil.wait_procs(family, timeout=10)[1] == []
    assert (project / "stopped").read_text() == "None"
    assert "Traceback" not in out + err
    assert "runs     redis, steady, fails" in out
    assert "http://127.0.0.1:" not in out  # neither web nor flower is in this Procfile
    assert "fails ended (exit status 1)" in err
    assert "OCR_X is wrong" in err
    assert list(project.glob("ocr-queue-*")) == []
    redis_log = (project / "data" / "logs" / "redis.log").read_text()
    assert "ready to exit" in redis_log.lower()


@pytest.mark.thorough
def test_a_stack_in_the_background_ignores_sigint_and_sighup_and_stops_at_sigterm(project):
    with stack(project, in_background()) as process:
        child = wait_for(project / "started")
        parent = psutil.Process(int(child)).parent()
        (project / "started").unlink()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        parent.kill()
        psutil.Process(int(child)).kill()
        wait_for(project / "started")  # a stack that is stopping would not restart it
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert (project / "stopped").read_text() == "None"


def test_a_killed_process_is_restarted(project):
    with stack(project):
        child = wait_for(project / "started")
        parent = psutil.Process(int(child)).parent()
        (project / "started").unlink()
        parent.kill()
        psutil.Process(int(child)).kill()
        assert wait_for(project / "started") != child


@pytest.mark.thorough
def test_a_second_stack_on_the_same_data_is_refused(project):
    with stack(project):
        wait_for(project / "started")
        run = refused(project)
        assert run.returncode == 1
        assert "already runs" in run.stderr
        assert run.stderr.count("\n") == 1
        assert run.stdout == ""  # it does not say that something runs


def test_a_wrong_setting_stops_the_stack_at_once(project):
    (project / "worker_config.py").write_text("import sys\nsys.exit('OCR_IDLE_SECONDS is wrong')\n")
    run = refused(project)
    assert run.returncode == 1
    assert run.stderr == "OCR_IDLE_SECONDS is wrong\n"
    assert not (project / "started").exists()


@pytest.mark.parametrize(
    ("process", "name"),
    thorough_but(1, [("web", "OCR_HTTP_PORT"), ("flower", "OCR_FLOWER_PORT"), ("redis", "REDIS_URL")]),
)
def test_what_listens_already_stops_the_stack_before_anything_starts(project, process, name):
    (project / "worker_config.py").unlink()
    (project / "Procfile").write_text(f"{process}: touch started\n")
    (project / "data" / "redis").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as redis:
        redis.bind(str(project / "redis.sock"))
        redis.listen()
        (project / "data" / NOTE).write_text(str(project / "redis.sock"))
        port = str(taken.getsockname()[1])
        run = refused(project, **({} if process == "redis" else {name: port}))
    assert run.returncode != 0
    assert name in run.stderr
    assert (str(project / "redis.sock") if process == "redis" else f"port {port}") in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""
    assert not (project / "started").exists()


@pytest.mark.thorough
def test_flower_alone_says_that_its_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = subprocess.run(
            [sys.executable, "-m", "worker.flower"],
            cwd=PROJECT, env={**os.environ, "OCR_FLOWER_PORT": str(taken.getsockname()[1])},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert run.returncode != 0
    assert run.stderr.startswith("ocr: Flower cannot listen on 127.0.0.1 port ")
    assert run.stderr.count("\n") == 1


@pytest.mark.thorough
def test_with_a_redis_url_no_server_is_started(project):
    with stack(project, REDIS_URL="redis://127.0.0.1:1/0") as process:
        wait_for(project / "started")
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert "runs     steady, fails" in out
    assert "warning: Redis at redis://127.0.0.1:1/0 cannot be reached" in err
    assert "correct REDIS_URL" in err
    assert not (project / "data" / "redis").exists()


@pytest.mark.thorough
def test_without_a_procfile_the_error_says_where_to_start(project):
    (project / "Procfile").unlink()
    run = refused(project)
    assert run.returncode == 1
    assert run.stderr == "stack: no Procfile in this folder: start the stack in the project's folder\n"


def test_the_spool_exists_before_any_process_starts(project):
    look = "import pathlib, time; pathlib.Path('started').write_text(str(pathlib.Path('data/spool').is_dir()))"
    (project / "Procfile").write_text(f'redis: python -c "{look}; time.sleep(1000)"\n')
    with stack(project):
        assert wait_for(project / "started") == "True"
    assert (project / "data" / "spool").stat().st_mode & 0o777 == 0o700


@pytest.mark.thorough
def test_a_spool_that_cannot_be_created_stops_the_stack_at_once(project):
    (project / "file").touch()
    run = refused(project, OCR_SPOOL_URL=str(project / "file" / "spool"))
    assert run.returncode == 1
    assert run.stderr.startswith(f"stack: spool: {project}/file/spool: ")
    assert run.stderr.count("\n") == 1
    assert not (project / "started").exists()


@pytest.mark.parametrize(
    ("processes", "name", "value", "code"),
    thorough_but(
        2,
        [
            ("web flower", "OCR_FLOWER_PORT", "8000", 2),
            ("worker", "OCR_WORKER_ENGINES", "mine=no.such:Class", 1),
            ("flower", "OCR_FLOWER_ADDRESS", "0.0.0.0", 1),
            ("flower", "OCR_FLOWER_ADDRESS", "999.1.1.1", 2),
            ("web", "OCR_HTTP_ADDRESS", "0.0.0.0", 2),
            ("web", "OCR_HTTP_ADDRESS", "999.1.1.1", 2),
            ("redis", "OCR_REDIS_SERVER", "/bin/ls", 1),
            ("steady", "OCR_STUCK_MINUTES", "abc", 2),
        ],
    ),
)
def test_a_setting_that_a_process_refuses_stops_the_stack_at_once(project, processes, name, value, code):
    (project / "worker_config.py").unlink()
    (project / "Procfile").write_text("".join(f"{process}: touch started\n" for process in processes.split()))
    run = refused(project, **{name: value})
    assert run.returncode == code
    assert run.stderr.startswith(f"ocr: {name}=")
    assert value in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (project / "started").exists()
