"""The connection to Redis, and its errors."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocrqueue.errors import QueueUnavailable
from ocrqueue.ledger.connection import address, client, client_async, connect, reaching
from ocrqueue.redis_url.sentinels import parse
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


def test_sentinels_are_shown_without_passwords() -> None:
    named = parse(
        "sentinels://me:se%40cret@a:26380,[::1]/3?master=ocr&sentinel_password=hid%26den&ssl_ca_certs=/ca.pem"
    )
    shown = replace(settings(named.celery_url), sentinels=named)
    assert address(shown) == "sentinels://a:26380,[::1]:26379/3?master=ocr"
    assert named.celery_url == "sentinel://me:se%40cret@a:26380/3;sentinel://me:se%40cret@[::1]:26379/3"
    assert named.login == {"username": "me", "password": "se@cret"}
    assert named.sentinel_options["password"] == "hid&den"
    assert shown.celery_tls == {"ssl_cert_reqs": "required", "ssl_ca_certs": "/ca.pem"}


def watched() -> Shared:
    named = parse("sentinel://a,b/3?master=ocr")
    return replace(settings(named.celery_url), sentinels=named)


@pytest.mark.parametrize("connected", [client, client_async])
def test_idle_connections_are_kept_alive_but_not_those_of_a_unix_socket(connected: Callable[[Shared], Any]) -> None:
    for shared in (settings("redis://a/0"), watched()):
        assert connected(shared).connection_pool.connection_kwargs["socket_keepalive"] is True
    socket = connected(settings("redis+socket:///r.sock?virtual_host=0"))
    assert "socket_keepalive" not in socket.connection_pool.connection_kwargs


@pytest.mark.parametrize("connected", [client, client_async])
def test_a_sentinel_that_is_away_is_asked_once(connected: Callable[[Shared], Any]) -> None:
    for sentinel in connected(watched()).connection_pool.sentinel_manager.sentinels:
        assert sentinel.get_retry().get_retries() == 0
    assert watched().celery_options["sentinel_kwargs"]["retry"].get_retries() == 0


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("sentinel://a/0", "it names no master"),
        ("sentinel://a/x?master=m", "'x' is not the number of a database"),
        ("sentinel://a:b/0?master=m", "'a:b' is not host:port"),
        ("sentinel://a,,b/0?master=m", "'' is not host:port"),
        ("sentinel://a/0?master=m&ssl_ca_certs=x", "options of TLS need sentinels://"),
        ("sentinel://a/0?master=m&password=x", "'password' is not an option"),
    ],
)
def test_a_wrong_url_of_sentinels_is_refused(url: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        parse(url)
