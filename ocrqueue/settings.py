"""Reads settings from environment variables. Also defines the settings that the client and the workers share.

A file `.env` in the project's folder is read too; a variable of the environment overrides it. Each setting NAME can be
in a file that NAME_FILE names, as secrets of containers are. A wrong value raises SettingsError: one line that names
the variable, the value and the allowed values; a secret, and what is in a file, is not shown.
"""

import difflib
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, urlencode

from dotenv import load_dotenv
from environs import EnvError, FileAwareEnv, validate
from marshmallow import ValidationError

from ocrqueue.errors import OcrError
from ocrqueue.redis_url import sentinels as urls
from ocrqueue.redis_url.check import check_sentinels, check_server
from ocrqueue.redis_url.sentinels import Sentinels
from ocrqueue.redis_url.socket import redis_url

T = TypeVar("T")
# Upper limits. What is larger is a mistake, and too much for clocks and timers.
WEEK = 604_800  # seconds
YEAR = 31_536_000  # seconds
CENTURY = 36_500  # days
MANY = 1_000_000_000  # pages, tasks, MB
MOST_GB = 1_000_000
PROJECT = Path(__file__).resolve().parent.parent
IN_PROJECT = (PROJECT / "worker_config.py").exists()  # False where only the client is installed

# Variables that worker_config does not read: the embedded server's program, a threshold of `doctor`, variables that a
# worker's parent sets for its children, and those of a client that uses the HTTP API.
ELSEWHERE = {"OCR_REDIS_SERVER", "OCR_STUCK_MINUTES", "OCR_WORKER_ID", "OCR_WORKER_NAME", "OCR_SERVED",
             "OCR_API_URL", "OCR_API_KEY"}  # fmt: skip
_names: set[str] = set()  # names of the settings that were read

_FILE = "_FILE"  # what the name of a setting ends in if a file holds its value
env = FileAwareEnv(file_suffix=_FILE, strip_whitespace=True)
if IN_PROJECT:
    load_dotenv(PROJECT / ".env")  # into os.environ: read_env of environs 15 and newer keeps the values to itself


class SettingsError(OcrError):
    """A setting has a value that is not allowed."""

    code = "invalid_options"


def refuse_to_start(error: OcrError) -> NoReturn:
    """End a process whose settings are wrong: one line, and exit code 2 as for a wrong use of the command line."""
    print(f"ocr: {error.message}", file=sys.stderr)
    sys.exit(2)


def given(name: str) -> str:
    """The text of the setting `name`, from the variable or from the file that NAME_FILE names; empty if not set.

    Raises SettingsError if both are set, or if the file is empty or cannot be read.
    """
    value, path = os.environ.get(name, "").strip(), os.environ.get(name + _FILE, "").strip()
    if not path:
        return value
    if value:
        raise SettingsError(f"{name} and {name}{_FILE} are both set: remove one of them")
    try:
        value = Path(path).read_text().strip()
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or "it is not text"
        raise SettingsError(f"{name}{_FILE}={path!r} cannot be read ({why}): name a file that holds {name}") from e
    if not value:
        raise SettingsError(f"{name}{_FILE}={path!r} is empty: write {name} into it")
    return value


def read(parse: Callable[..., Any], name: str, default: T, allowed: str, secret: bool = False, **how: Any) -> T:
    """The variable `name`, parsed by a parser of environs; `default` if it is not set or empty. Raises SettingsError.

    `allowed` describes the allowed values for the error message, which does not show a `secret`. `how` goes to the
    parser.
    """
    _names.add(name)
    raw = given(name)
    if not raw:
        return default
    try:
        value: T = parse(name, **how)
    except (EnvError, ValueError, OSError) as e:
        if path := os.environ.get(name + _FILE):
            raise SettingsError(f"{name}{_FILE}={path!r}: what is in the file is not allowed: {allowed}") from None
        if secret:
            raise SettingsError(f"{name} is not allowed: {allowed}") from None
        shown = re.sub(r"(://[^:/@]*:)[^@]*@|(password=)[^&]*", _masked, raw)
        raise SettingsError(f"{name}={shown!r} is not allowed: {allowed}") from e
    return value


def _masked(found: re.Match[str]) -> str:
    return f"{found[1]}***@" if found[1] else f"{found[2]}***"


def unknown_variables() -> Iterator[str]:
    """A line for each variable named OCR_... that is not a setting. Call it when all settings were read."""
    settings = _names | ELSEWHERE
    for name in sorted(os.environ.keys() - settings - {name + _FILE for name in settings}):
        if name.startswith("OCR_"):
            similar = difflib.get_close_matches(name, _names, 1)
            yield f"{name} is not a setting, and changes nothing" + (f": {similar[0]} is one" if similar else "")


def integer(name: str, default: int, low: int, high: int = MANY) -> int:
    """A whole number from `low` to `high`."""
    return read(env.int, name, default, f"a whole number, {low} to {high}", validate=validate.Range(min=low, max=high))


def number(name: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    allowed = f"a number, {low} to {high}"
    return read(env.float, name, float(default), allowed, validate=validate.Range(min=low, max=high))


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of the `allowed` words."""
    return read(env.str, name, default, "one of " + ", ".join(allowed), validate=validate.OneOf(allowed))


def boolean(name: str, default: bool) -> bool:
    """True for 1, true, yes or on; False for 0, false, no or off."""
    return read(env.bool, name, default, "1 or 0")


def text(name: str, default: str, pattern: str, allowed: str, secret: bool = False) -> str:
    """A text; `pattern` matches the whole of it. An error does not show a `secret`."""
    return read(env.str, name, default, allowed, secret, validate=validate.Regexp(f"^(?:{pattern})$"))


def words(name: str, default: tuple[str, ...], pattern: str, allowed: str) -> tuple[str, ...]:
    """A list separated by commas; `pattern` matches the whole of each item."""
    each = validate.And(validate.Length(min=1), validate.Regexp(f"^(?:{pattern})$"))
    found = read(env.list, name, list(default), allowed, validate=lambda items: [each(i.strip()) for i in items])
    return tuple(item.strip() for item in found)


def folder(name: str, default: Path) -> Path:
    """The absolute path of a folder, which need not exist."""

    def is_folder(path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise ValidationError("not a folder")

    return read(env.path, name, default, "a folder", validate=is_folder).expanduser().resolve()


_REDIS_SCHEMES = ("redis", "rediss", "redis+socket", "unix", *urls.SCHEMES)


def _is_redis(url: str) -> None:
    if url.partition("://")[0] not in _REDIS_SCHEMES:
        raise ValidationError("not a Redis URL")
    if _names_sentinels(url):
        check_sentinels(urls.parse(url))
    else:
        check_server(url, _redis_py_url(celery_url(url)))


def _names_sentinels(url: str) -> bool:
    return url.partition("://")[0] in urls.SCHEMES


def _is_group(name: str) -> None:
    import grp  # not on Windows, where groups cannot be used

    try:
        grp.getgrnam(name)
    except KeyError as e:
        raise ValidationError("no such group") from e


@dataclass(frozen=True, slots=True)
class Shared:
    """Settings that must be the same for the client and all workers."""

    data_dir: Path  # folder of all files that a running stack writes
    redis: str  # URL of the server, or those of the sentinels, in Celery's form
    embedded: bool  # whether it is the embedded server
    spool: str  # folder or fsspec URL of sources and results
    spool_group: str | None  # group of users that shares a spool in a folder
    max_queued_pages: int  # submissions are refused when all jobs together have this many open pages
    max_bytes: int  # of a document
    sentinels: Sentinels | None = None  # that know which server is the primary; None: there is one server

    @property
    def celery_options(self) -> dict[str, Any]:
        """What Celery's transport options of broker and result backend need besides the URL."""
        return self.sentinels.celery_options if self.sentinels else {}

    @property
    def celery_tls(self) -> dict[str, str] | None:
        """Celery's options for TLS, of broker and result backend, if the URL does not say it."""
        return dict(self.sentinels.tls) if self.sentinels and self.sentinels.tls is not None else None

    @property
    def redis_py(self) -> str:
        """The URL of the server in redis-py's form."""
        return _redis_py_url(self.redis)


def celery_url(url: str) -> str:
    """The URL of a Redis server in Celery's form. `url` has Celery's or redis-py's form.

    The forms differ in two ways: a Unix socket is unix:// in redis-py and redis+socket:// in Celery, and redis-py also
    takes the number of the database from `?db=`. Celery needs `ssl_cert_reqs` in a rediss:// URL.
    """
    before, _, query = url.partition("?")
    scheme, _, address = before.partition("://")
    values = dict(parse_qsl(query, keep_blank_values=True))
    db = values.pop("db", None)
    if scheme in ("unix", "redis+socket"):
        scheme = "redis+socket"
        if db is not None:
            values["virtual_host"] = db
    elif db is not None:
        address = f"{address.partition('/')[0]}/{db}"
    if scheme == "rediss":
        values.setdefault("ssl_cert_reqs", "required")
    return f"{scheme}://{address}" + (f"?{urlencode(values, safe='/')}" if values else "")


def _redis_py_url(url: str) -> str:
    """The URL of a Redis server in redis-py's form. `url` has Celery's form."""
    if url.startswith("redis+socket://"):
        return url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    return url


def shared() -> Shared:
    """Read the shared settings. Raises SettingsError."""
    data_dir = folder("OCR_DATA_DIR", PROJECT / "data" if IN_PROJECT else Path.home() / ".ocr-queue")
    allowed = (
        f"a URL such as redis://host:6379/0, rediss://host/0, unix:///path?db=0 or {urls.FORM}; in a password, "
        "characters such as / # ? @ are percent-encoded (%2F %23 %3F %40)"
    )
    given = read(env.str, "REDIS_URL", "", allowed, secret=True, validate=_is_redis)
    if "ssl_keyfile=" in given and "ssl_certfile=" not in given:
        raise SettingsError("REDIS_URL: ssl_keyfile needs ssl_certfile, the certificate of that key")
    sentinels = urls.parse(given) if _names_sentinels(given) else None
    one = celery_url(given) if given else redis_url(data_dir)
    return Shared(
        data_dir=data_dir,
        redis=sentinels.celery_url if sentinels else one,
        embedded=not given,
        sentinels=sentinels,
        spool=text("OCR_SPOOL_URL", str(data_dir / "spool"), r"\S(.*\S)?", "a folder or an fsspec URL"),
        spool_group=read(env.str, "OCR_SPOOL_GROUP", None, "the name of a group of this system", validate=_is_group),
        max_queued_pages=integer("OCR_MAX_QUEUED_PAGES", 100_000, 1),
        max_bytes=integer("OCR_MAX_MB", 512, 1, 100_000) * 2**20,
    )


def shutdown_seconds() -> int:
    """OCR_SHUTDOWN_SECONDS: the time that a worker's pages have to end after SIGTERM; then they are open again."""
    return integer("OCR_SHUTDOWN_SECONDS", 30, 0, 86_400)


def stuck_minutes() -> int:
    """OCR_STUCK_MINUTES: `doctor` reports a job that has not progressed for so long."""
    return integer("OCR_STUCK_MINUTES", 30, 1, YEAR // 60)


def hostname() -> str:
    """The name of this machine, for ids and logs."""
    return socket.gethostname()


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check_address(name: str, address: str) -> None:
    """Raise SettingsError if no process can listen on the address, which is the value of the setting `name`."""
    try:
        found = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        found = []
    for family, kind, protocol, _, where in found:
        with suppress(OSError), socket.socket(family, kind, protocol) as probe:
            probe.bind(where)
            return
    raise SettingsError(f"{name}={address!r} is not allowed: an address of this machine")
