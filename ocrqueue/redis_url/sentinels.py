"""Redis with Sentinel: several servers of which one is the primary, and the sentinels that know which one.

REDIS_URL names the sentinels: `sentinel://user:password@host:26379,host:26379/0?master=NAME`, with `sentinels://`
where TLS is used. Celery and redis-py each have a form of their own; both are made here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from redis.backoff import NoBackoff
from redis.retry import Retry

SCHEMES = ("sentinel", "sentinels")
FORM = "sentinel://user:password@host:26379,host:26379/0?master=NAME"
TIMEOUT = 2.0  # seconds for connecting to a sentinel, and for its answer
_PORT = 26379
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The sentinels of a REDIS_URL, and how to log in to the servers that they watch."""

    hosts: tuple[tuple[str, int], ...]  # of the sentinels, with their ports
    master: str  # the name that they know the servers by
    database: int
    login: Mapping[str, str]  # `username` and `password` of the servers; what is missing is not needed
    sentinel_login: Mapping[str, str]  # those of the sentinels
    tls: Mapping[str, str] | None  # redis-py's options for TLS, to the servers and the sentinels; None: no TLS

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """How redis-py connects to a sentinel. It tries once: there are others, and redis-py would wait for seconds."""
        tls = {"ssl": True, **self.tls} if self.tls is not None else {}
        once = {"retry": Retry(NoBackoff(), 0)}
        return {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, **once, **self.sentinel_login, **tls}

    @property
    def celery_url(self) -> str:
        """The URL of broker and result backend for Celery: one for each sentinel."""
        user, password = (quote(self.login.get(key, ""), safe="") for key in ("username", "password"))
        login = f"{user}:{password}@" if user or password else ""
        return ";".join(f"sentinel://{login}{_bracketed(h)}:{p}/{self.database}" for h, p in self.hosts)

    @property
    def celery_options(self) -> dict[str, Any]:
        """The transport options of broker and result backend for Celery."""
        return {"master_name": self.master, "sentinel_kwargs": self.sentinel_options}

    @property
    def address(self) -> str:
        """The sentinels for messages, without any password."""
        hosts = ",".join(f"{_bracketed(host)}:{port}" for host, port in self.hosts)
        return f"{SCHEMES[self.tls is not None]}://{hosts}/{self.database}?master={self.master}"


def parse(url: str) -> Sentinels:
    """The sentinels of a REDIS_URL. Raises ValueError, with what is wrong."""
    scheme, _, rest = url.partition("://")
    before, _, query = rest.partition("?")
    authority, _, database = before.partition("/")
    login, _, hosts = authority.rpartition("@")
    user, _, password = (unquote(part) for part in login.partition(":"))
    values = dict(parse_qsl(query, keep_blank_values=True))
    master = values.pop("master", "")
    if scheme not in SCHEMES or not master:
        raise ValueError("it names no master")
    if database and not database.isdecimal():
        raise ValueError(f"{database!r} is not the number of a database")
    tls = {name: values.pop(name) for name in _TLS if name in values}
    if tls and scheme != "sentinels":
        raise ValueError("options of TLS need sentinels://")
    sentinel_login = {name: values.pop(key) for key, name in _LOGIN.items() if key in values}
    if values:
        raise ValueError(f"{next(iter(values))!r} is not an option")
    return Sentinels(
        hosts=tuple(_host(host) for host in hosts.split(",")),
        master=master,
        database=int(database or 0),
        login={name: value for name, value in (("username", user), ("password", password)) if value},
        sentinel_login=sentinel_login,
        tls={"ssl_cert_reqs": "required", **tls} if scheme == "sentinels" else None,
    )


def _host(given: str) -> tuple[str, int]:
    """The name or address of a host, such as "host:26379" or "[::1]:26379", and its port."""
    host, colon, port = given.strip().rpartition(":")
    if not colon or given.endswith("]"):
        host, port = given.strip(), str(_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{given!r} is not host:port")
    return host, int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
