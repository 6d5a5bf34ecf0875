"""Sessions of people who have logged in to the web UI with an API key. Redis holds them, so every process knows them.

The browser has a random token in a cookie; Redis has the token's hash with the hash of the key, so that a new key with
the name of a revoked one does not bring its sessions back. Changes need a second token, which pages carry and other
sites cannot read, because a browser sends cookies also with requests of other sites.
"""

import hashlib
import hmac
import secrets

from redis import Redis

from ocrqueue import names

COOKIE = "ocr_session"
HEADER = "X-CSRF-Token"
SECONDS = 12 * 3600  # after which people log in again


class Sessions:
    """The sessions of one queue. Every method may raise what redis-py raises."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def open(self, key: str) -> str:
        """Begin a session of the API key with this hash, and return its token."""
        token = secrets.token_urlsafe(32)
        self._redis.set(names.session_key(_hash(token)), key, ex=SECONDS)
        return token

    def key(self, token: str) -> str | None:
        """The hash of the API key of a session; None if there is no such session."""
        found = self._redis.get(names.session_key(_hash(token)))
        return None if found is None else str(found)

    def close(self, token: str) -> None:
        """End a session."""
        self._redis.delete(names.session_key(_hash(token)))


def change_token(token: str) -> str:
    """The token that changes of a session need, in the header X-CSRF-Token."""
    return _hash(f"change {token}")


def is_change_token(token: str, given: str | None) -> bool:
    """Whether this is the token that changes of a session need."""
    return hmac.compare_digest(change_token(token).encode(), (given or "").encode())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
