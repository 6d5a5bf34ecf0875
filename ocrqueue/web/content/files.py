"""Answers with a file of the spool: all of it or a part, and nothing if the client has it (RFC 9110)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ocrqueue.storage.base import Content
from ocrqueue.storage.spool import Spool
from ocrqueue.web.problems import ApiError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # other headers are ignored
NAME = 120  # characters of a file's name that a client is offered


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file in a job's folder, as a client gets it."""

    spool: Spool
    job: str  # id
    name: str  # in the job's folder
    media_type: str
    download: str  # the name under which a browser stores it
    inline: bool = False  # whether a browser shows it; else it offers to store it

    async def answer(self, request: Request) -> Response:
        """The answer to a request for it. Raises FileNotFoundError, StorageError, ApiError."""
        content = await run_sync(self.spool.content, self.job, self.name)
        try:
            return self._answer(request, content)
        except BaseException:
            content.close()
            raise

    def _answer(self, request: Request, content: Content) -> Response:
        etag = f'"{self.name}-{content.size:x}-{content.version}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
        if _is_known(request.headers.get("If-None-Match"), etag):
            content.close()
            return Response(status_code=304, headers=headers)
        wanted = request.headers.get("Range")
        if wanted and request.headers.get("If-Range", etag) != etag:
            wanted = None
        part = _part(wanted, content.size)
        headers |= {"Accept-Ranges": "bytes", "Content-Disposition": _disposition(self.download, self.inline)}
        status, first, last = 200, 0, content.size - 1
        if part is not None:
            status, first, last = 206, *part
            headers["Content-Range"] = f"bytes {first}-{last}/{content.size}"
        headers["Content-Length"] = str(last - first + 1)
        return _Sent(content, first, last - first + 1, status, headers, self.media_type)


class _Sent(StreamingResponse):
    """The answer with a part of a content, which is closed at the end, also if nobody reads the answer."""

    def __init__(
        self, content: Content, first: int, length: int, status: int, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(content.part(first, length), status, headers, media_type)  # is read in threads
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._content.close()


def _is_known(header: str | None, etag: str) -> bool:
    """Whether If-None-Match has the tag."""
    if header is None:
        return False
    return header.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _part(header: str | None, size: int) -> tuple[int, int] | None:
    """The first and last byte that Range asks for; None for the whole file, also if it asks for several parts.

    Raises ApiError if the file has no such bytes.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if not match or match[0] == "bytes=-":
        return None
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(size - 1, int(match[2] or size - 1))
        if match[2] and int(match[2]) < first:
            return None  # not a valid range: to be ignored
    if first > last or first >= size:
        raise ApiError(
            "range_not_satisfiable",
            f"the file has {size:,} bytes: ask for some of them",
            {"Content-Range": f"bytes */{size}"},
        )
    return first, last


def _disposition(name: str, inline: bool) -> str:
    """The header Content-Disposition (RFC 6266) for any name."""
    name = re.sub(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]', "_", name).strip(". ") or "result"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"


def download_name(document: str, extension: str) -> str:
    """The name of a result of a document. `extension` begins with a dot."""
    stem = document.rpartition(".")[0] or document
    return stem[:NAME] + extension
