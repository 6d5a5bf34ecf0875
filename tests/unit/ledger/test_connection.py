"""The connection to Redis, and its errors."""

from pathlib import Path

import pytest

from ocrqueue.errors import QueueUnavailable
from ocrqueue.ledger.connection import address, connect, reaching
from ocrqueue.settings import Shared


def settings(redis: str) -> Shared:
    return Shared(Path("data"), redis, False, "data/spool", None, 100, 1000)


def test_an_address_shows_neither_user_nor_password() -> None:
    assert address(settings("rediss://me:se@cret@host.example:6380/2")) == "rediss://host.example:6380/2"
    assert address(settings("redis+socket:///run/r.sock?virtual_host=0")) == "/run/r.sock"


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    away = settings("redis://me:secret@127.0.0.1:1/0")
    with pytest.raises(QueueUnavailable) as caught, reaching(away), connect(away) as redis:
        redis.ping()
    assert "redis://127.0.0.1:1/0 cannot be reached (Connection refused); start that server" in caught.value.message
    assert "secret" not in caught.value.message
