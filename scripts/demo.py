"""`make demo [FILE=...]`: starts the whole stack, reads a document through the command line, and stops the stack again.

If a stack runs on this data folder already, the demonstration uses it and leaves it running.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from ocrqueue import names
from ocrqueue.settings import SettingsError, Shared, integer, shared
from ocrqueue.stack.stack import read_procfile

PROJECT = Path(__file__).resolve().parent.parent
SAMPLE = Path("tests", "data", "scan.pdf")
PORTS = {"OCR_FLOWER_PORT": 5555, "OCR_HTTP_PORT": 8000}  # settings and their defaults
READY_SECONDS = 120  # for Redis and the first worker; imports are slow on a busy machine


class DemoError(Exception):
    """The demonstration cannot continue; the message is one line that says what to do."""


def say(text: str) -> None:
    """Print a line to stderr; the text of the document goes to standard output."""
    print(text, file=sys.stderr, flush=True)


def connect(settings: Shared) -> "redis.Redis":
    """A client of the stack's Redis, which need not run yet."""
    return redis.Redis.from_url(settings.redis_py, decode_responses=True, socket_timeout=5)


def workers(client: "redis.Redis") -> int | None:
    """The number of live workers; None if Redis does not answer."""
    try:
        return int(client.zcount(names.WORKERS, time.time(), "+inf"))
    except redis.RedisError:
        return None


def jobs(client: "redis.Redis") -> set[str]:
    """The ids of all jobs."""
    return {str(job) for job in client.zrange(names.JOBS, 0, -1)}


def port(setting: str) -> int:
    """The port that a setting of PORTS says."""
    return integer(setting, PORTS[setting], 1, 65535)


def free_port(wanted: int) -> int:
    """This port, or any free port if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stack(client: "redis.Redis", settings: Shared) -> Iterator[bool]:
    """Run a stack, and stop it at the end of the block; yields True if a stack ran already, which is not stopped."""
    if workers(client):
        yield True
        return
    ports = {setting: str(free_port(port(setting))) for setting in PORTS}
    process = subprocess.Popen(
        [sys.executable, "-m", "ocrqueue.stack"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **ports},
        start_new_session=True,  # Ctrl-C reaches only this process, which stops the stack below
    )
    try:
        _wait_until_ready(process, client, settings)
        say(f"ready; while this runs, the web UI is at http://127.0.0.1:{ports['OCR_HTTP_PORT']}")
        yield False
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.terminate()
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", client: "redis.Redis", settings: Shared) -> None:
    waiting_for = ""
    end = time.monotonic() + READY_SECONDS
    wanted = sum(" worker " in p.command for p in read_procfile(Path("Procfile").read_text()))
    while (live := workers(client)) is None or live < wanted:
        missing = "Redis" if live is None else "the workers"
        if missing != waiting_for:
            say(f"waiting for {missing} ...")
            waiting_for = missing
        if process.poll() is not None:
            raise DemoError("the stack ended; the line above says why")
        if time.monotonic() > end:
            raise DemoError(
                f"{missing} did not start within {READY_SECONDS} s; see the logs in {settings.data_dir / 'logs'}"
            )
        time.sleep(0.2)


def submit(file: Path) -> int:
    """Submit the file by the command line, which prints its text; returns the exit code of the command."""
    command = ["submit.py", "ocr", str(file)]
    say(f"$ python {shlex.join(command)}")
    process = subprocess.Popen([sys.executable, *command])
    try:
        return process.wait()
    except KeyboardInterrupt:  # the command got SIGINT too, and prints the job that continues
        return process.wait()


def tell(new: set[str], settings: Shared, keeps_running: bool) -> None:
    """Print the folder of the result, and how to see the queue."""
    say("")
    for job in sorted(new):
        say(f"job      {job}")
        say(f"result   {settings.spool.rstrip('/')}/jobs/{job}/")
    how = "" if keeps_running else "make up, then "
    say(f"web UI   {how}http://127.0.0.1:{port('OCR_HTTP_PORT')}")


def demonstrate(file: Path) -> int:
    """Run the whole demonstration; returns the exit code of the command line."""
    settings = shared()
    with connect(settings) as client, stack(client, settings) as was_there:
        before = jobs(client)
        code = submit(file)
        tell(jobs(client) - before, settings, was_there)
    return code


def main(arguments: list[str]) -> int:
    """Run the demonstration with the file among the arguments, or with the sample."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(128 + signal.SIGTERM))
    file = Path(arguments[0]).expanduser().absolute() if arguments else SAMPLE
    os.chdir(PROJECT)
    try:
        if not file.is_file():
            raise DemoError(f"no such file: {file}")
        return demonstrate(file)
    except (DemoError, SettingsError, redis.RedisError) as e:
        say(f"demo: {e}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
