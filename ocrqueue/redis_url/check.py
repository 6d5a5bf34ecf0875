"""Finds out without connecting whether a REDIS_URL can be used.

redis-py and Celery take a password that is not percent-encoded for a port, the number of a database or options, or drop
a part of it. Their errors show it. So these errors only go to `settings.read`, which says something else.
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from redis import Redis
from redis.exceptions import RedisError

from ocrqueue.redis_url.sentinels import Sentinels


def check_server(url: str, redis_py: str) -> None:
    """Raise ValueError if the URL of one server cannot be used; `redis_py` is the same in redis-py's form."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    if parts.scheme in ("unix", "redis+socket"):
        is_address = bool(parts.path) and not parts.netloc.rpartition("@")[2]
    else:
        is_address = bool(re.fullmatch("/?[0-9]*", parts.path))
        if not all(name == "db" or name.startswith("ssl_") for name in options):
            raise ValueError("it has an option that Celery cannot take in a URL")
    if not is_address or not options.get("db", "0").isdecimal():
        raise ValueError("it is not the address of a server and the number of a database")
    if "#" in url or ";" in url:  # nothing after # is read, and Celery takes what is after ; for another URL
        raise ValueError("it has a character that must be encoded")
    _make_connection(lambda: Redis.from_url(redis_py))


def check_sentinels(sentinels: Sentinels) -> None:
    """Raise ValueError if redis-py cannot use the options of TLS."""
    _make_connection(lambda: Redis(**sentinels.sentinel_options))


def _make_connection(client: Callable[[], Redis]) -> None:
    """Make a connection of this client, but do not connect. Raises ValueError."""
    try:
        client().connection_pool.make_connection()
    except (AttributeError, OSError, RedisError, TypeError) as e:
        raise ValueError("redis-py cannot use it") from e
