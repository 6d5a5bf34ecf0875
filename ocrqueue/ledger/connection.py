"""The connection to Redis, and the error messages if Redis cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from redis import Redis, exceptions
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from ocrqueue.errors import QueueFull, QueueUnavailable
from ocrqueue.settings import Shared

TIMEOUT = 5.0  # seconds for connecting, and for each answer


def connect(settings: Shared) -> Redis:
    """A client of the queue's Redis, connected on first use. It retries once, because the server may have restarted."""
    try:
        return Redis.from_url(
            settings.redis_py,
            decode_responses=True,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as e:
        raise QueueUnavailable(f"REDIS_URL is not a usable URL: {e}; it should look like redis://host:6379/0") from e


def connect_async(settings: Shared) -> AsyncRedis:
    """A client for a subscription in an event loop, connected on first use. It tries once; the caller tries again."""
    keepalive = {} if settings.redis_py.startswith("unix:") else {"socket_keepalive": True}  # a Unix socket has none
    return AsyncRedis.from_url(
        settings.redis_py,
        decode_responses=True,
        socket_connect_timeout=TIMEOUT,
        **keepalive,
        retry=AsyncRetry(NoBackoff(), 0),
    )


def address(settings: Shared) -> str:
    """The address of Redis without user and password, for messages."""
    parts = urlsplit(settings.redis)
    if not parts.hostname:
        return parts.path
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path}"


@contextmanager
def reaching(settings: Shared) -> Iterator[None]:
    """Turn the errors of redis-py into QueueUnavailable or QueueFull, whose message says where, why and what to do."""
    where = f"Redis at {address(settings)}"
    start = (
        "start it with `make up`, or set OCR_DATA_DIR to the data folder of a stack that runs"
        if settings.embedded
        else "start that server, or correct REDIS_URL; without REDIS_URL, the embedded server of `make up` is used"
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
    except exceptions.ConnectionError as e:
        raise QueueUnavailable(f"{where} cannot be reached ({_reason(e)}); {start}") from e
    except exceptions.OutOfMemoryError as e:
        raise QueueFull(f"{where} has reached its memory limit; wait until the queue has drained, or raise it") from e
    except exceptions.ResponseError as e:
        raise QueueUnavailable(f"{where} refuses a command ({e}); see `submit.py doctor`") from e


def _reason(error: BaseException) -> str:
    """The operating system's text for an error, such as "Connection refused"."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return (str(error) or type(error).__name__).split(". ")[0]
