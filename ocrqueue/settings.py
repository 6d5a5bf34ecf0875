"""Reading settings from the environment, and those that the client shares with the workers.

A `.env` in the project's folder is read too, and nowhere else; what the environment says goes first. A wrong value
raises SettingsError, one line that names the variable, the value and what is allowed.
"""

import difflib
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvError, validate
from marshmallow import ValidationError

from ocrqueue.errors import OcrError
from ocrqueue.redis_socket import redis_url

T = TypeVar("T")
PROJECT = Path(__file__).resolve().parent.parent
IN_PROJECT = (PROJECT / "worker_config.py").exists()  # False where only the client is installed

# That no worker reads: the embedded server's program, a threshold of `doctor`, and what a parent tells its children.
ELSEWHERE = {"OCR_REDIS_SERVER", "OCR_STUCK_MINUTES", "OCR_WORKER_ID", "OCR_WORKER_NAME", "OCR_SERVED"}
_asked: set[str] = set()  # names of the settings that were read

env = Env()
if IN_PROJECT:
    env.read_env(str(PROJECT / ".env"), recurse=False)


class SettingsError(OcrError):
    """A setting has a value that is not allowed."""

    code = "invalid_options"


def read(parse: Callable[..., Any], name: str, default: T, allowed: str, **how: Any) -> T:
    """The variable `name` through one of the parsers of environs; `default` where it is unset or empty."""
    _asked.add(name)
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value: T = parse(name, **how)
    except (EnvError, ValueError, OSError) as e:
        shown = re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", raw)
        raise SettingsError(f"{name}={shown!r} is not allowed: {allowed}") from e
    return value


def unheard() -> Iterator[str]:
    """A line for each variable named OCR_... that is no setting, once all have been read: a slip, no doubt."""
    for name in sorted(os.environ.keys() - _asked - ELSEWHERE):
        if name.startswith("OCR_"):
            meant = difflib.get_close_matches(name, _asked, 1)
            yield f"{name} is not a setting, and changes nothing" + (f": {meant[0]} is one" if meant else "")


def integer(name: str, default: int, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`."""
    allowed = f"a whole number, {low} to {high}" if high is not None else f"a whole number, {low} or more"
    return read(env.int, name, default, allowed, validate=validate.Range(min=low, max=high))


def number(name: str, default: float, low: float) -> float:
    """A number, `low` or more, with or without decimals."""
    return read(env.float, name, float(default), f"a number, {low:g} or more", validate=validate.Range(min=low))


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    return read(env.str, name, default, "one of " + ", ".join(allowed), validate=validate.OneOf(allowed))


def boolean(name: str, default: bool) -> bool:
    """1, true, yes or on; 0, false, no or off."""
    return read(env.bool, name, default, "1 or 0")


def text(name: str, default: str, pattern: str, allowed: str) -> str:
    """A text that matches `pattern` as a whole."""
    return read(env.str, name, default, allowed, validate=validate.Regexp(f"^(?:{pattern})$"))


def words(name: str, default: tuple[str, ...], pattern: str, allowed: str) -> tuple[str, ...]:
    """A list parted by commas; each item matches `pattern` as a whole."""
    each = validate.And(validate.Length(min=1), validate.Regexp(f"^(?:{pattern})$"))
    found = read(env.list, name, list(default), allowed, validate=lambda items: [each(i.strip()) for i in items])
    return tuple(item.strip() for item in found)


def folder(name: str, default: Path) -> Path:
    """A folder, made absolute; need not be there yet."""

    def is_folder(path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise ValidationError("not a folder")

    return read(env.path, name, default, "a folder", validate=is_folder).expanduser().resolve()


_REDIS_SCHEMES = ("redis", "rediss", "redis+socket", "unix")


def _is_redis(url: str) -> None:
    if urlsplit(url).scheme not in _REDIS_SCHEMES:
        raise ValidationError("not a Redis URL")


def _is_group(name: str) -> None:
    import grp  # not on Windows, where the variable cannot be used

    try:
        grp.getgrnam(name)
    except KeyError as e:
        raise ValidationError("no such group") from e


@dataclass(frozen=True, slots=True)
class Shared:
    """What the client and the workers must agree on."""

    data_dir: Path  # all that a running stack writes
    redis: str  # the broker's URL, as Celery takes it
    embedded: bool  # whether that is the embedded server
    spool: str  # folder or fsspec URL of sources and results
    spool_group: str | None  # a group that shares a local spool
    max_queued_pages: int  # open pages of all jobs, above which submissions are refused
    max_bytes: int  # of a document

    @property
    def redis_py(self) -> str:
        """The same server's URL, as redis-py takes it."""
        if self.redis.startswith("redis+socket://"):
            return self.redis.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
        return self.redis


def shared() -> Shared:
    """The shared settings, read now. Raises SettingsError."""
    data_dir = folder("OCR_DATA_DIR", PROJECT / "data" if IN_PROJECT else Path.home() / ".ocr-queue")
    allowed = "a URL such as redis://host:6379/0, rediss://host/0 or unix:///path?db=0"
    given = read(env.str, "REDIS_URL", "", allowed, validate=_is_redis)
    given = given.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    if given.startswith("rediss://") and "ssl_cert_reqs=" not in given:  # Celery takes no rediss:// without it
        given += ("&" if "?" in given else "?") + "ssl_cert_reqs=required"
    return Shared(
        data_dir=data_dir,
        redis=given or redis_url(data_dir),
        embedded=not given,
        spool=text("OCR_SPOOL_URL", str(data_dir / "spool"), r"\S(.*\S)?", "a folder or an fsspec URL"),
        spool_group=read(env.str, "OCR_SPOOL_GROUP", None, "the name of a group of this system", validate=_is_group),
        max_queued_pages=integer("OCR_MAX_QUEUED_PAGES", 100_000, 1),
        max_bytes=integer("OCR_MAX_MB", 512, 1, 100_000) * 2**20,
    )


def hostname() -> str:
    """This machine's name, for ids and logs."""
    return socket.gethostname()
