"""The socket of the HTTP API."""

import socket
from dataclasses import replace

import pytest

from ocrqueue.settings import SettingsError
from ocrqueue.web.__main__ import listen
from ocrqueue.web.settings import web_settings
from tests.support.harness import free_port


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_small_answers_are_sent_at_once(address: str) -> None:
    """asyncio switches the algorithm of Nagle off only for sockets that say they are TCP; else answers take 40 ms."""
    with listen(replace(web_settings(), address=address, port=free_port())) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on no-such-host\.invalid port 8000"):
        listen(replace(web_settings(), address="no-such-host.invalid"))
