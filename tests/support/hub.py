"""A small server with the part of the Hugging Face hub's protocol that a pull needs, including Range."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from tests.support.models import A, etag_of


@dataclass
class Hub:
    """Serves models during the `with` block. `url` is the value for HF_ENDPOINT."""

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)  # {name: {file: content}}
    break_at: int | None = None  # cut the connection after so many bytes of a larger file
    breaks: int = 0  # number of connections that are still to be cut
    wrong: bytes | None = None  # content to send instead of every file of the same length
    gets: list[tuple[str, str]] = field(default_factory=list)  # (file, Range) of each download

    def __enter__(self) -> Self:
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        """The headers of a file."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """The list of a model's files, or a file."""
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            self._model("/".join(parts[2:4]), parts[4:])
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), "/".join(parts[4:]), body)
        else:
            self._send(404, b"{}")

    def _model(self, name: str, rest: list[str]) -> None:
        files = self.server_hub.models.get(name)
        if files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif rest[:1] == ["revision"] and rest[1] not in ("main", A):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif rest[:1] == ["tree"]:
            self._send(200, json.dumps([_listed(n, data) for n, data in files.items()]).encode())
        else:
            about = {"id": name, "modelId": name, "sha": A, "siblings": [_sibling(n, d) for n, d in files.items()]}
            self._send(200, json.dumps(about).encode())

    def _file(self, name: str, file: str, body: bool) -> None:
        hub = self.server_hub
        content = hub.models.get(name, {}).get(file)
        if content is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{etag_of(content, file)}"', "X-Repo-Commit": A}
        if not body:
            self._send(200, content, headers, body=False)
            return
        asked = self.headers.get("Range", "")
        hub.gets.append((file, asked))
        start = int(asked.removeprefix("bytes=").partition("-")[0] or 0)
        sent = hub.wrong if hub.wrong is not None and len(hub.wrong) == len(content) else content
        status = 206 if asked else 200
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if hub.break_at is not None and hub.breaks and len(content) > hub.break_at > start:
            hub.breaks -= 1
            self._send(status, sent[start:], headers, until=hub.break_at - start)
        else:
            self._send(status, sent[start:], headers)

    def _send(
        self, status: int, content: bytes, headers: Mapping[str, str] | None = None, body: bool = True,
        until: int | None = None,
    ) -> None:  # fmt: skip
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:until])
        if until is not None:
            self.wfile.flush()
            self.close_connection = True


def _sibling(name: str, data: bytes) -> dict[str, object]:
    return {"rfilename": name, "size": len(data), "blobId": _git(data), **_lfs(name, data)}


def _listed(name: str, data: bytes) -> dict[str, object]:
    lfs = {"lfs": {"oid": etag_of(data, name), "size": len(data), "pointerSize": 130}} if _lfs(name, data) else {}
    return {"type": "file", "path": name, "size": len(data), "oid": _git(data), **lfs}


def _lfs(name: str, data: bytes) -> dict[str, object]:
    if name.endswith(".json"):
        return {}
    return {"lfs": {"sha256": etag_of(data, name), "size": len(data), "pointerSize": 130}}


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
