"""The connection to Redis, and the error messages if Redis cannot be used."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from redis import Redis, exceptions
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ConstantBackoff, NoBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelManagedConnection

from ocrqueue import names
from ocrqueue.errors import QueueFull, QueueUnavailable
from ocrqueue.settings import Shared

TIMEOUT = 5.0  # seconds for connecting, and for each answer


CLUSTER = "is a Redis Cluster, which is not supported: name one server, or sentinels, in REDIS_URL"
# Answers of a server that takes no writes, by their codes, and what they mean.
_REFUSALS = {
    "READONLY": "it is a replica",
    "NOREPLICAS": "it has fewer replicas than min-replicas-to-write",
    "MASTERDOWN": "it is a replica without a primary",
    "UNBLOCKED": "it became a replica",
    "MISCONF": "it cannot write to its disk; free space there",
}
FAILOVER = 15  # seconds that a client waits for a new primary where there are sentinels


def connect(settings: Shared) -> Redis:
    """A client of the queue's Redis, connected on first use. It retries once, because the server may have restarted.

    Where there are sentinels, it retries for `FAILOVER` seconds.
    """
    retry = Retry(ConstantBackoff(0.5), 2 * FAILOVER) if settings.sentinels else Retry(NoBackoff(), 1)
    return client(settings, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=retry)


def client(settings: Shared, **options: Any) -> Redis:
    """A client of the primary server, with these options of redis-py, connected on first use. It decodes answers.

    A server that takes no writes, such as one that became a replica, counts as one that is away.
    """
    options = {"decode_responses": True, **_kept_alive(settings), **options}
    if settings.sentinels:
        options |= {"db": settings.sentinels.database, **settings.sentinels.login, **_tls(settings)}
        redis = _sentinel(Sentinel, Retry, settings).master_for(settings.sentinels.master, **options)
    else:
        redis = Redis.from_url(settings.redis_py, **options)
    lead_to_primary(redis)
    return cast("Redis", redis)


def lead_to_primary(redis: Redis) -> None:
    """Let a client count a server that takes no writes as one that is away. Otherwise it would ask it for ever."""
    pool = redis.connection_pool
    pool.connection_class = to_primary(pool.connection_class)


def connect_briefly(settings: Shared) -> Redis:
    """Such a client for answers that cannot wait: it tries a command once more at most, also with sentinels."""
    return client(settings, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 1))


def check_writes(redis: Redis, settings: Shared) -> None:
    """Write a key that expires. Raises QueueUnavailable if Redis takes no writes, and QueueFull if memory lacks."""
    with reaching(settings):
        redis.set(names.TRIAL, "", ex=1)


@asynccontextmanager
async def connect_async(settings: Shared) -> AsyncIterator[AsyncRedis]:
    """A client for a subscription in an event loop, connected on first use. It tries once; the caller tries again."""
    redis = client_async(settings)
    manager = getattr(redis.connection_pool, "sentinel_manager", None)
    try:
        yield redis
    finally:
        for one in (redis, *(manager.sentinels if manager else ())):
            await one.aclose()


def client_async(settings: Shared) -> AsyncRedis:
    """Such a client. It does not close its connections to sentinels; `connect_async` does."""
    options = {
        "decode_responses": True,
        "socket_connect_timeout": TIMEOUT,
        "retry": AsyncRetry(NoBackoff(), 0),
        **_kept_alive(settings),
    }
    if settings.sentinels:
        options |= {"db": settings.sentinels.database, **settings.sentinels.login, **_tls(settings)}
        return cast(
            "AsyncRedis",
            _sentinel(AsyncSentinel, AsyncRetry, settings).master_for(settings.sentinels.master, **options),
        )
    return AsyncRedis.from_url(settings.redis_py, **options)


def address(settings: Shared) -> str:
    """The address of Redis without user and password, for messages."""
    if settings.sentinels:
        return settings.sentinels.address
    scheme, _, rest = settings.redis.partition("?")[0].partition("://")
    host, slash, database = rest.rpartition("@")[2].partition("/")
    if not host:
        return slash + database
    return f"{scheme}://{host if re.search(r':[0-9]+$', host) else f'{host}:6379'}{slash}{database}"


def _sentinel(kind: Any, retry: Any, settings: Shared) -> Any:
    """redis-py's object for the sentinels, which finds the primary for each new connection."""
    assert settings.sentinels is not None
    options = {**settings.sentinels.sentinel_options, "retry": retry(NoBackoff(), 0)}
    return kind(list(settings.sentinels.hosts), sentinel_kwargs=options)


def _kept_alive(settings: Shared) -> dict[str, Any]:
    """Let the system find out that the other side of an idle connection is gone. A Unix socket has no such option."""
    return {} if settings.redis_py.startswith("unix:") else {"socket_keepalive": True}


def _tls(settings: Shared) -> dict[str, Any]:
    tls = settings.celery_tls
    return {} if tls is None else {"ssl": True, **tls}


class WritesRefused(exceptions.ConnectionError):
    """The server answers, but takes no writes: it is a replica, has too few replicas, or cannot write to its disk."""

    def __init__(self, code: str = "") -> None:
        super().__init__(f"{_REFUSALS.get(code, 'it refuses them')} ({code})")
        self.code = code  # of the server's answer, such as READONLY

    def __reduce__(self) -> tuple[type["WritesRefused"], tuple[str]]:
        """So that a child process can send it to its parent."""
        return type(self), (self.code,)


class _ToPrimary(AbstractConnection):
    """A connection whose server must take writes. Otherwise it is closed, and the next one may lead to another server.

    A name or a proxy can lead to another server while connections to the old one, now a replica, stay open.
    """

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        # redis-py asks the sentinels for a connection that it takes from the pool, but not where a command that failed
        # is tried again (its issue 3874): all tries would go to the old server, alive or not.
        if isinstance(self, SentinelManagedConnection) and not self._sock:
            with _briefly(self.connection_pool.service_name):
                self.host, self.port = self.connection_pool.get_master_address()
            retry_socket_connect = False
        super().connect_check_health(check_health, retry_socket_connect)

    def connect(self) -> None:
        with _briefly(getattr(getattr(self, "connection_pool", None), "service_name", "")):
            super().connect()  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except exceptions.ResponseError as e:
            code = getattr(e, "status_code", None) or str(e).partition(" ")[0]  # redis-py cuts it off where it knows it
            if code not in _REFUSALS:
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            raise WritesRefused(code) from e


@contextmanager
def _briefly(master: str) -> Iterator[None]:
    """Shorten the error that there is no primary. That of redis-py has a kilobyte for each sentinel, and no reason."""
    try:
        yield
    except MasterNotFoundError:
        raise MasterNotFoundError(f"no sentinel names a primary for {master!r}") from None


def to_primary(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """A kind of connection that counts as broken where the server does not take writes."""
    return kind if issubclass(kind, _ToPrimary) else type(kind.__name__, (_ToPrimary, kind), {})


@contextmanager
def reaching(settings: Shared) -> Iterator[None]:
    """Turn the errors of redis-py into QueueUnavailable or QueueFull, whose message says where, why and what to do."""
    where = f"Redis at {address(settings)}"
    start = (
        "start it with `make up`, or name a stack that runs: its data folder in OCR_DATA_DIR, its Redis in REDIS_URL, "
        "or its HTTP API in OCR_API_URL"
        if settings.embedded
        else "start that server, or correct REDIS_URL; without REDIS_URL, the embedded server of `make up` is used, "
        "and with OCR_API_URL the HTTP API there"
    )
    try:
        yield
    except (exceptions.AuthenticationError, exceptions.NoPermissionError) as e:
        raise QueueUnavailable(f"{where} refuses this user or password; correct them in REDIS_URL") from e
    except exceptions.BusyLoadingError as e:
        raise QueueUnavailable(f"{where} is still loading its data; try again in a moment") from e
    except exceptions.TimeoutError as e:
        raise QueueUnavailable(
            f"{where} does not answer within {TIMEOUT:.0f} s; look whether it runs, or {start}"
        ) from e
    except WritesRefused as e:
        raise QueueUnavailable(f"{where} takes no writes at the moment: {e}; try again later") from e
    except MasterNotFoundError as e:
        raise QueueUnavailable(
            f"{where}: no sentinel names a primary{_sentinel_says(settings)}; look whether sentinels and servers run, "
            "or correct REDIS_URL"
        ) from e
    except exceptions.ConnectionError as e:
        raise QueueUnavailable(f"{where} cannot be reached ({_reason(e)}); {start}") from e
    except exceptions.OutOfMemoryError as e:
        raise QueueFull(f"{where} has reached its memory limit; wait until the queue has drained, or raise it") from e
    except exceptions.ResponseError as e:
        if isinstance(e, exceptions.MovedError) or "same slot" in str(e) or str(e).startswith("CROSSSLOT"):
            raise QueueUnavailable(f"{where} {CLUSTER}") from e
        raise QueueUnavailable(f"{where} refuses a command ({e}); see `submit.py doctor`") from e


def _sentinel_says(settings: Shared) -> str:
    """Why a sentinel cannot be asked, for a message; empty if the first one can be."""
    if settings.sentinels is None:
        return ""
    host, port = settings.sentinels.hosts[0]
    try:
        with Redis(host, port, **settings.sentinels.sentinel_options) as sentinel:
            sentinel.ping()
    except exceptions.RedisError as e:
        return f" ({host}:{port}: {_reason(e)})"
    return ""


def _reason(error: BaseException) -> str:
    """The operating system's text for an error, such as "Connection refused"."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return (str(error) or type(error).__name__).split(". ")[0]
