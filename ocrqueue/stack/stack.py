"""A whole stack on one machine: every line of the Procfile, kept running until Ctrl-C (`make up`).

supervisord starts again what ends, with a growing pause, and keeps a log of each process under `<data>/logs`.
`python -m ocrqueue.stack NAME` becomes one process of the Procfile, for other supervisors; see `deploy/`.
"""

import fcntl
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from ocrqueue.errors import StorageError
from ocrqueue.settings import SettingsError, Shared, integer, shared
from ocrqueue.stack.embedded import EmbeddedError, private_folder, remove_socket_folder
from ocrqueue.storage.spool import Spool

STOP_SECONDS = 45  # a worker gives its pages back after OCR_SHUTDOWN_SECONDS (30)
_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
_TOLD = (1, 3, 10)  # which deaths in a row are told; every 30th after these


class StackError(Exception):
    """The stack cannot run; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Process:
    """A line of the Procfile."""

    name: str
    command: str  # split as a shell would, but run without one


def read_procfile(text: str) -> list[Process]:
    """The processes of a Procfile. Raises StackError for a line that is not `name: command`."""
    lines = [line.strip() for line in text.splitlines()]
    found = [(line, _LINE.fullmatch(line)) for line in lines if line and not line.startswith("#")]
    if wrong := [line for line, match in found if not match]:
        raise StackError(f"Procfile: {wrong[0]!r} is no line of the kind 'name: command'")
    return [Process(match[1], match[2]) for _, match in found if match]


def supervisor_config(processes: list[Process], data_dir: Path) -> str:
    """The configuration of supervisord; Redis is a group of its own: groups start in order and stop in reverse."""
    others = [p.name for p in processes if p.name != "redis"]
    parts = [
        _section("supervisord", _supervisord(data_dir)),
        *(_section(f"program:{p.name}", _program(p, data_dir)) for p in processes),
        _section("group:stack", {"programs": ",".join(others), "priority": 10}),
    ]
    if len(others) < len(processes):
        parts.append(_section("group:broker", {"programs": "redis", "priority": 1}))
    return "\n".join(parts)


def _supervisord(data_dir: Path) -> dict[str, object]:
    return {
        "nodaemon": "true",
        "logfile": data_dir / "logs" / "supervisord.log",
        "logfile_maxbytes": "10MB",
        "logfile_backups": 3,
        "pidfile": data_dir / "run" / "supervisord.pid",
    }


def _program(process: Process, data_dir: Path) -> dict[str, object]:
    return {
        "command": process.command,
        "autorestart": "true",
        "startsecs": 5,
        "startretries": 1_000_000,  # each try waits a second longer than the one before
        # A worker stops its children itself; what is left of it after the time is killed as a group.
        "stopsignal": "TERM",
        "stopwaitsecs": STOP_SECONDS,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _log(data_dir, process.name),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 3,
    }


def _section(title: str, values: dict[str, object]) -> str:
    # supervisord replaces %(name)s in every value.
    return f"[{title}]\n" + "".join(f"{k} = {str(v).replace('%', '%%')}\n" for k, v in values.items())


def _log(data_dir: Path, name: str) -> Path:
    return data_dir / "logs" / f"{name}.log"


def last_line(path: Path) -> str:
    """The last line of a log that says something, without control characters; empty where there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4096))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return "".join(c for c in said[-1] if c.isprintable()) if said else ""


class Reporter:
    """Turns what supervisord says into the few lines that a user wants to see."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.deaths: Counter[str] = Counter()  # by process, since it last stayed up

    def report(self, line: str) -> str | None:
        """What to tell about a line of supervisord's log, if anything."""
        if up := re.search(r"success: (\S+) entered RUNNING", line):
            self.deaths[up[1]] = 0
        elif ended := re.search(r"exited: (\S+) \(([^;)]*)", line):
            return self._ended(ended[1], ended[2])
        elif failed := re.search(r"spawnerr: (.*)", line):
            return f"a process cannot be started: {failed[1]}"
        elif killed := re.search(r"killing '([^']+)' .* with SIGKILL", line):
            return f"{killed[1]} did not stop within {STOP_SECONDS} s and was killed"
        elif "indicating exit request" in line:
            return f"stopping: pages being read end or go back first (at most {STOP_SECONDS} s)"
        return None

    def _ended(self, name: str, how: str) -> str | None:
        self.deaths[name] += 1
        count = self.deaths[name]
        if count not in _TOLD and count % 30:
            return None
        times = f" {count} times" if count > 1 else ""
        log = _log(self.data_dir, name)
        return f"{name} ended{times} ({how}) and is started again; its log {log} ends: {last_line(log)}"


@contextmanager
def locked(data_dir: Path) -> Iterator[IO[str]]:
    """Holds the lock of a data folder: one stack at a time. Raises StackError where another one runs."""
    run = private_folder(data_dir / "run")
    with (run / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            pid = last_line(run / "supervisord.pid") or "unknown"
            raise StackError(
                f"a stack already runs on the data folder {data_dir} (process {pid}); to stop it: kill {pid}"
            ) from e
        yield lock


def run(processes: list[Process], data_dir: Path) -> int:
    """Run supervisord over these processes until SIGINT or SIGTERM; its exit code."""
    private_folder(data_dir / "logs")
    with locked(data_dir) as lock:
        config = data_dir / "run" / "supervisord.conf"
        config.write_text(supervisor_config(processes, data_dir))
        supervisord = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)],
            stdin=lock,  # so that a supervisord that outlives us holds the lock too; it closes other descriptors
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**os.environ, "PATH": _path()},
            start_new_session=True,  # Ctrl-C reaches us alone
        )
        _on_stop(supervisord.terminate)
        try:
            reporter = Reporter(data_dir)
            for line in supervisord.stdout or ():
                if told := reporter.report(line):
                    print(told, file=sys.stderr, flush=True)
        finally:
            supervisord.terminate()
            code = supervisord.wait()
            remove_socket_folder(data_dir)
    return code


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _on_stop(act: Callable[[], None]) -> None:
    """Call `act` at SIGTERM, and at SIGINT and SIGHUP unless they are ignored: by `nohup`, or a shell's `command &`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda _signal, _frame: act())


def _settings(names: list[str]) -> Shared:
    """The settings; what is wrong with them ends the program, in one line, before any of these is started."""
    code = "import sys, worker.app, worker.checks; worker.checks.check(sys.argv[1:])"
    check = subprocess.run([sys.executable, "-c", code, *names], check=False, start_new_session=True)
    if check.returncode:
        raise SystemExit(check.returncode)
    return shared()


def prepare(one: list[str]) -> tuple[list[Process], Shared]:
    """What is to run, and the settings; `one` names the process that is to, if not all of them.

    Raises StackError, SettingsError or EmbeddedError.
    """
    if not Path("Procfile").is_file():
        raise StackError("no Procfile here: start the stack in the project's folder")
    processes = read_procfile(Path("Procfile").read_text())
    settings = _settings(one or [p.name for p in processes])
    if not settings.embedded:
        processes = [p for p in processes if p.name != "redis"]
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise StackError(
            f"cannot make the data folder {settings.data_dir}: {e.strerror}; set OCR_DATA_DIR to another"
        ) from e
    return processes, settings


def prepare_spool(settings: Shared) -> None:
    """A local spool is there before Redis is: from then on documents are handed over. Raises StorageError."""
    spool = Spool(settings.spool, settings.spool_group)
    if spool.is_local:
        spool.prepare()
        spool.check()


def become(name: str, processes: list[Process]) -> NoReturn:
    """Become one process of the Procfile. Raises StackError where it has none of this name."""
    command = next((shlex.split(p.command) for p in processes if p.name == name), None)
    if command is None:
        known = ", ".join(p.name for p in processes)
        raise StackError(f"{name!r} is not a process of the Procfile: there are {known}; redis only without REDIS_URL")
    os.environ["PATH"] = _path()
    os.execvp(command[0], command)  # noqa: S606 -- no shell


def main() -> int:
    """Run the stack, or become one process of it; the exit code."""
    _on_stop(sys.exit)
    try:
        processes, settings = prepare(sys.argv[1:2])
        if len(sys.argv) > 1:
            become(sys.argv[1], processes)
        prepare_spool(settings)
        print(f"runs     {', '.join(p.name for p in processes)}")
        print(f"logs     {settings.data_dir / 'logs'}")
        print(f"Flower   http://127.0.0.1:{integer('OCR_FLOWER_PORT', 5555, 1, 65535)}")
        print("to stop  Ctrl-C", flush=True)
        return run(processes, settings.data_dir)
    except (StackError, SettingsError, EmbeddedError, StorageError) as e:
        print(f"stack: {e}", file=sys.stderr)
        return 1
