"""A whole stack on one machine: all processes of the Procfile, until Ctrl-C (`make up`).

supervisord restarts a process that ends, after a growing pause, and writes a log of each process to `<data>/logs`.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from ocrqueue.errors import OcrError, StorageError
from ocrqueue.ledger.connection import connect, reaching
from ocrqueue.process.ports import bound
from ocrqueue.settings import SettingsError, Shared, given, integer, shared, shutdown_seconds
from ocrqueue.stack.embedded import EmbeddedError, check_unused, private_folder, remove_socket_folder
from ocrqueue.storage.spool import Spool

STOP_MARGIN = 15  # seconds that a worker has to return its pages, once OCR_SHUTDOWN_SECONDS are over
_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
_REPORTED = (1, 3, 10)  # which ends in a row are reported; after these, every 30th


class StackError(Exception):
    """The stack cannot run; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the Procfile."""

    name: str
    command: str  # split into words like a shell does, but run without a shell


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a process listens for browsers."""

    shown: str
    prefix: str  # of its settings, after OCR_
    address: str
    port: int


def stop_seconds() -> int:
    """Seconds that a process has to stop, before it is killed."""
    return shutdown_seconds() + STOP_MARGIN


def read_procfile(text: str) -> list[Process]:
    """Parse a Procfile. Raises StackError for a line that is not `name: command`."""
    lines = [line.strip() for line in text.splitlines()]
    found = [(line, _LINE.fullmatch(line)) for line in lines if line and not line.startswith("#")]
    if wrong := [line for line, match in found if not match]:
        raise StackError(f"Procfile: {wrong[0]!r} is not of the form 'name: command'")
    return [Process(match[1], match[2]) for _, match in found if match]


def supervisor_config(processes: list[Process], data_dir: Path) -> str:
    """The configuration of supervisord. Redis has its own group: groups start in order and stop in reverse."""
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
        "startretries": 1_000_000,  # each attempt waits a second longer than the one before
        # A worker stops its children itself. After the stop time, its whole process group is killed.
        "stopsignal": "TERM",
        "stopwaitsecs": stop_seconds(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _log(data_dir, process.name),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 3,
    }


def _section(title: str, values: dict[str, object]) -> str:
    # supervisord expands %(name)s in every value, so % is doubled.
    return f"[{title}]\n" + "".join(f"{k} = {str(v).replace('%', '%%')}\n" for k, v in values.items())


def _log(data_dir: Path, name: str) -> Path:
    return data_dir / "logs" / f"{name}.log"


def last_line(path: Path) -> str:
    """The last line of a log that is not empty, without control characters; "" if there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4096))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return "".join(c for c in said[-1] if c.isprintable()) if said else ""


class Reporter:
    """Turns the log of supervisord into the few messages that matter to a user."""

    def __init__(self, data_dir: Path, starting: Iterable[str] = ()) -> None:
        """`starting`: the processes of which a message says when all of them have started."""
        self.data_dir = data_dir
        self.starting = set(starting)
        self.deaths: Counter[str] = Counter()  # {process: times it ended since it last stayed up}

    def report(self, line: str) -> str | None:
        """The message for a line of supervisord's log; None if the line does not matter."""
        if up := re.search(r"success: (\S+) entered RUNNING", line):
            self.deaths[up[1]] = 0
            if self.starting:
                self.starting.discard(up[1])
                return None if self.starting else "all processes have started"
        elif ended := re.search(r"exited: (\S+) \(([^;)]*)", line):
            return self._ended(ended[1], ended[2])
        elif failed := re.search(r"spawnerr: (.*)", line):
            return f"a process cannot be started: {failed[1]}"
        elif killed := re.search(r"killing '([^']+)' .* with SIGKILL", line):
            return f"{killed[1]} did not stop within {stop_seconds()} s and was killed"
        elif "indicating exit request" in line:
            return f"stopping: workers finish or return their pages first (at most {stop_seconds()} s)"
        return None

    def _ended(self, name: str, how: str) -> str | None:
        self.deaths[name] += 1
        count = self.deaths[name]
        if count not in _REPORTED and count % 30:
            return None
        times = f" {count} times" if count > 1 else ""
        log = _log(self.data_dir, name)
        return f"{name} ended{times} ({how}) and is restarted; its log {log} ends: {last_line(log)}"


@contextmanager
def locked(data_dir: Path) -> Iterator[IO[str]]:
    """Lock a data folder for one stack. Raises StackError if another stack runs on it."""
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


def listeners(processes: list[Process]) -> Iterator[Listener]:
    """Those of the processes that people open in a browser."""
    names = {process.name for process in processes}
    for process, shown, prefix, port in (("web", "web UI", "HTTP", 8000), ("flower", "Flower", "FLOWER", 5555)):
        if process in names:
            address = given(f"OCR_{prefix}_ADDRESS") or "127.0.0.1"
            yield Listener(shown, prefix, address, integer(f"OCR_{prefix}_PORT", port, 1, 65535))


def check_free(processes: list[Process], data_dir: Path) -> None:
    """Raise SettingsError or EmbeddedError if something else listens where one of the processes would."""
    for one in listeners(processes):
        bound(one.shown, one.prefix, one.address, one.port).close()
    if any(process.name == "redis" for process in processes):
        check_unused(data_dir)


def announce(processes: list[Process], settings: Shared) -> None:
    """Print what runs and where; warn on stderr if the server of REDIS_URL cannot be reached."""
    print(f"runs     {', '.join(p.name for p in processes)}")
    print(f"logs     {settings.data_dir / 'logs'}")
    for one in listeners(processes):
        print(f"{one.shown:8} http://127.0.0.1:{one.port}{', also the HTTP API' if one.prefix == 'HTTP' else ''}")
    print("to stop  Ctrl-C", flush=True)
    if not settings.embedded:
        try:
            with reaching(settings), connect(settings) as redis:
                redis.ping()
        except OcrError as e:
            print(f"warning: {e.message}; workers wait until it answers", file=sys.stderr, flush=True)


def run(processes: list[Process], settings: Shared) -> int:
    """Run supervisord with these processes until SIGINT or SIGTERM; returns its exit code."""
    data_dir = settings.data_dir
    private_folder(data_dir / "logs")
    with locked(data_dir) as lock:
        check_free(processes, data_dir)
        announce(processes, settings)
        config = data_dir / "run" / "supervisord.conf"
        config.write_text(supervisor_config(processes, data_dir))
        supervisord = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)],
            stdin=lock,  # holds the lock as long as supervisord lives; it closes all other descriptors
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**os.environ, "PATH": _path()},
            start_new_session=True,  # Ctrl-C reaches only this process
        )
        _on_stop(supervisord.terminate)
        try:
            reporter = Reporter(data_dir, (process.name for process in processes))
            for line in supervisord.stdout or ():
                if message := reporter.report(line):
                    print(message, file=sys.stderr, flush=True)
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
    """Check the settings of these processes and return the shared ones; exits with one line if a setting is wrong."""
    code = "import sys, worker.app, worker.checks; worker.checks.check(sys.argv[1:])"
    check = subprocess.run([sys.executable, "-c", code, *names], check=False, start_new_session=True)
    if check.returncode:
        raise SystemExit(check.returncode)
    return shared()


def prepare(one: list[str]) -> tuple[list[Process], Shared]:
    """The processes to run, and the settings. `one` is empty, or holds the name of the only process to run.

    Raises StackError, SettingsError or EmbeddedError.
    """
    if not Path("Procfile").is_file():
        raise StackError("no Procfile in this folder: start the stack in the project's folder")
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
    """Create a local spool, because clients may submit as soon as Redis runs. Raises StorageError."""
    spool = Spool(settings.spool, settings.spool_group)
    if spool.is_local:
        spool.prepare()
        spool.check()


def become(name: str, processes: list[Process]) -> NoReturn:
    """Replace this process by a process of the Procfile. Raises StackError if it has none of this name."""
    command = next((shlex.split(p.command) for p in processes if p.name == name), None)
    if command is None:
        known = ", ".join(p.name for p in processes)
        raise StackError(f"{name!r} is not a process of the Procfile; it has {known}, and redis only without REDIS_URL")
    os.environ["PATH"] = _path()
    os.execvp(command[0], command)  # noqa: S606 -- no shell


def main() -> int:
    """Run the stack, or one process of it; returns the exit code."""
    _on_stop(sys.exit)
    try:
        names = sys.argv[1:]
        if len(names) > 1:
            raise StackError("name one process of the Procfile, or none for the whole stack")
        processes, settings = prepare(names)
        if names:
            become(names[0], processes)
        prepare_spool(settings)
        return run(processes, settings)
    except (StackError, SettingsError, EmbeddedError, StorageError) as e:
        print(f"stack: {e}", file=sys.stderr)
        return 2 if isinstance(e, SettingsError) else 1
