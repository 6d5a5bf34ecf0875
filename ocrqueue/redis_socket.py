"""Where the embedded Redis listens: a Unix socket whose path follows from the data folder."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

# The server notes where its socket is: a shell, cron and a service may each have another XDG_RUNTIME_DIR or TMPDIR.
NOTE = Path("redis", "socket")
_MAX_SOCKET_PATH = 103  # bytes; the least of all systems (macOS)


def socket_path(data_dir: Path) -> Path:
    """The socket of a data folder's server: where a started one says it is, else where it will be."""
    with contextlib.suppress(OSError):
        noted = Path((data_dir / NOTE).read_text().strip())
        if noted.is_socket():
            return noted
    return new_socket_path(data_dir)


def new_socket_path(data_dir: Path) -> Path:
    """Where a server that starts now makes its socket."""
    uid = os.getuid()
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:8]
    for base in (*_runtime_dir(uid), Path(tempfile.gettempdir()).resolve()):
        path = base / f"ocr-queue-{uid}-{digest}" / "redis.sock"
        if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
            return path
    return Path("/tmp") / f"ocr-queue-{uid}-{digest}" / "redis.sock"  # noqa: S108 (checked by the server's start)


def redis_url(data_dir: Path) -> str:
    """The URL of the embedded server, as Celery takes it."""
    return f"redis+socket://{socket_path(data_dir)}?virtual_host=0"


def _runtime_dir(uid: int) -> list[Path]:
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    try:
        return [Path(named).resolve()] if named and Path(named).stat().st_uid == uid else []
    except OSError:
        return []
