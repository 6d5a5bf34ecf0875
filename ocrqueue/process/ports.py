"""The ports on which processes listen: bound, or refused with one line that says what to do."""

import socket

from ocrqueue.settings import SettingsError


def bound(what: str, prefix: str, address: str, port: int) -> socket.socket:
    """A socket for `what`, which is bound to this address and port; its settings begin with OCR_ and `prefix`.

    Raises SettingsError if the address or port cannot be used.
    """
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        made = socket.socket(family, kind, protocol)  # without the protocol, asyncio leaves Nagle's algorithm on
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
        except OSError:
            made.close()
            raise
        return made
    except OSError as e:
        raise SettingsError(
            f"{what} cannot listen on {address} port {port} ({e.strerror}): stop what uses the port, or set another "
            f"OCR_{prefix}_PORT or OCR_{prefix}_ADDRESS"
        ) from e
