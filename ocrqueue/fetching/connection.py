"""A connection to an address that was checked before, for one request that ends at a deadline."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator

from ocrqueue.fetching.addresses import Address, Url

_CONNECT_SECONDS = 10.0
_TOO_LONG = "it took too long"


@contextlib.contextmanager
def connected(url: Url, addresses: Iterable[Address], deadline: float) -> Iterator[http.client.HTTPConnection]:
    """A connection to the first of the addresses that takes one. It uses no proxy, cookies or credentials.

    TLS is verified for the name of the host. `deadline` is a value of time.monotonic; after it the connection is closed
    and TimeoutError is raised. Raises OSError, and what the block raises.
    """
    sock = _open(url, addresses, deadline)
    late = threading.Event()
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.host, url.port)
    connection.sock = sock
    try:
        with contextlib.closing(sock), contextlib.closing(connection), _ended_at(deadline, sock, late):
            yield connection
    except (OSError, ValueError, http.client.HTTPException) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise TimeoutError(_TOO_LONG) from error
        raise
    if late.is_set():
        raise TimeoutError(_TOO_LONG)


def _open(url: Url, addresses: Iterable[Address], deadline: float) -> socket.socket:
    failure: OSError = TimeoutError(_TOO_LONG)
    for address in addresses:
        seconds = min(_CONNECT_SECONDS, deadline - time.monotonic())
        if seconds <= 0:
            break
        try:
            sock = socket.create_connection((str(address), url.port), seconds)
        except OSError as error:
            failure = error
            continue
        try:
            if url.scheme == "https":
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=url.host)
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            return sock
        except BaseException:
            sock.close()
            raise
    raise failure


@contextlib.contextmanager
def _ended_at(deadline: float, sock: socket.socket, late: threading.Event) -> Iterator[None]:
    """Close the connection at the deadline. A socket timeout would not stop a server that sends a byte now and then."""

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
