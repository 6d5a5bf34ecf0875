"""The Unix socket of the embedded Redis, whose path is derived from the data folder."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

# The server writes its socket's path here: a shell, cron and a service have different XDG_RUNTIME_DIR and TMPDIR.
NOTE = Path("redis", "socket")
_MAX_SOCKET_PATH = 103  # bytes; the limit of macOS, the smallest of all systems


def socket_path(data_dir: Path) -> Path:
    """The socket of a data folder's server: the one that the server wrote down, else `new_socket_path`."""
    with contextlib.suppress(OSError):
        noted = Path((data_dir / NOTE).read_text().strip())
        if noted.is_socket():
            return noted
    return new_socket_path(data_dir)


def new_socket_path(data_dir: Path) -> Path:
    """The socket that a server of this data folder creates if it starts now."""
    uid = os.getuid()
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:8]
    for base in (*_runtime_dir(uid), Path(tempfile.gettempdir()).resolve()):
        path = base / f"ocr-queue-{uid}-{digest}" / "redis.sock"
        if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
            return path
    return Path("/tmp") / f"ocr-queue-{uid}-{digest}" / "redis.sock"  # noqa: S108 -- `private_folder` checks it


def redis_url(data_dir: Path) -> str:
    """The URL of the embedded server for Celery."""
    return f"redis+socket://{socket_path(data_dir)}?virtual_host=0"


def _runtime_dir(uid: int) -> list[Path]:
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    try:
        return [Path(named).resolve()] if named and Path(named).stat().st_uid == uid else []
    except OSError:
        return []
