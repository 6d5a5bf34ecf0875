"""Uploads over raw sockets, which break where a test wants, and what they leave behind."""

import socket

from tests.support.harness import Stack
from tests.support.web import API, Web

JOBS = f"{API}/jobs"


class Footprint:
    """Files and jobs of a stack, to be compared before and after."""

    def __init__(self, stack: Stack) -> None:
        self._spool = stack.folder / "data" / "spool"
        self._stack = stack
        self._before = self.now()

    def now(self) -> tuple[list[str], list[str], list[str]]:
        """Uploads, folders of jobs, jobs in Redis."""
        folders = [sorted(path.name for path in (self._spool / name).glob("*")) for name in ("uploads", "jobs")]
        return folders[0], folders[1], self._stack.client().ledger.jobs()

    def is_as_before(self) -> bool:
        """Whether nothing was added or removed."""
        return self.now() == self._before


def upload_head(length: int | None, *headers: str) -> bytes:
    """The head of a raw upload; without a length its body is chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join([f"POST {JOBS} HTTP/1.1", "Host: localhost", size, *headers, "", ""]).encode()


def json_head(length: int) -> bytes:
    """The head of a JSON body for the API of Azure."""
    path = "/documentintelligence/documentModels/prebuilt-read:analyze"
    head = f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", "Content-Type: application/json"
    return "\r\n".join([*head, "", ""]).encode()


def connected(web: Web, first: bytes) -> socket.socket:
    """A connection on which the first bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", web.port), 60)
    connection.sendall(first)
    return connection


def answered(connection: socket.socket) -> bytes:
    """An answer whose body is a JSON object; less if the server closes the connection before."""
    found = b""
    while b"\r\n\r\n" not in found or not found.rstrip().endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            break
        found += piece
    return found


def chunk(content: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(content), content)
