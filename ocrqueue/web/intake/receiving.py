"""Receives the bodies of requests: documents to files of the uploads folder, everything else to memory.

A body is limited in size, speed and number at a time. No thread waits for a client; threads only write to the disk, and
parse JSON.
"""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import unquote

import anyio
from anyio.to_thread import run_sync
from fastapi import Request

from ocrqueue.client.submission import Received
from ocrqueue.errors import InvalidOptions
from ocrqueue.ledger.encoding import shown_name
from ocrqueue.storage.uploads import Upload, Uploads
from ocrqueue.web.intake import json_text
from ocrqueue.web.intake.json_body import MOST, JsonBody
from ocrqueue.web.intake.multipart import FormParser, Part, last_part
from ocrqueue.web.intake.places import Place, Places
from ocrqueue.web.problems import ApiError

FIELD_BYTES = 1 << 20  # of a form besides its documents: fields and headers of parts
_BASE64 = 1.5  # bytes of base64 in JSON for a byte of the document, at most: 4/3, and line breaks
_PIECE = 1 << 18  # bytes that are written to the disk at a time
_WRITERS = 4  # threads that write to the disk
_LEAST_BYTES = 16_384  # that must arrive in each period of `stall_seconds`
# media types, and main types, that cannot be a document; application/octet-stream and odd types may be one
_NO_DOCUMENTS = frozenset(
    "text audio video font message model application/zip application/gzip application/xml application/msword "
    "application/rtf application/epub+zip application/javascript image/svg+xml".split()
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a request brought."""

    fields: list[tuple[str, str]] = field(default_factory=list)  # of a form, in order; a name may come several times
    files: list[Received] = field(default_factory=list)  # complete; those that no job takes are removed


@dataclass(frozen=True, slots=True)
class ArrivedJson:
    """The JSON object that a request brought."""

    values: dict[str, Any]
    document: Received | None = None  # a long text in base64, decoded; removed unless a job takes it
    mark: str = ""  # the text that stands for it in `values`


class Receiver:
    """Receives the requests of one process."""

    def __init__(self, uploads: Uploads, max_bytes: int, at_a_time: int, stall_seconds: float) -> None:
        self.max_bytes = max_bytes  # of all documents of a request together
        self.uploads = uploads
        self._stall_seconds = stall_seconds
        self._places = Places(at_a_time)
        self._writers = anyio.CapacityLimiter(_WRITERS)

    @asynccontextmanager
    async def form(self, request: Request, file_fields: Sequence[str]) -> AsyncIterator[Arrived]:
        """The fields and documents of a multipart body. Documents that no job has taken are removed at the end.

        Raises ApiError, also for a file in a field that is not one of `file_fields`, and StorageError.
        """
        parser = FormParser(request.headers.get("Content-Type", ""), file_fields)
        uploads: dict[Part, Upload] = {}
        try:
            async with self._places.place(_caller(request)) as place:
                async for piece in self._pieces(request, place, self.max_bytes + FIELD_BYTES):
                    for part in parser.feed(piece):
                        await self._store(part, uploads)
                parser.finish()
                for part in parser.files:
                    await self._store(part, uploads)
            yield Arrived(parser.fields, [_received(part.name, uploads[part]) for part in parser.files])
        finally:
            await self._discard(uploads.values())

    @asynccontextmanager
    async def document(self, request: Request) -> AsyncIterator[Received]:
        """The body as one document, named by a header. It is removed at the end unless a job has taken it.

        Raises ApiError, also for a declared media type that no document has, and StorageError.
        """
        check_media_type(request.headers.get("Content-Type", ""))
        part, uploads = Part(shown_name(document_name(request) or "")), dict[Part, Upload]()
        try:
            async with self._places.place(_caller(request)) as place:
                async for piece in self._pieces(request, place, self.max_bytes):
                    part.waiting += piece
                    await self._store(part, uploads)
                part.is_complete = True
                await self._store(part, uploads)
            yield _received(part.name, uploads[part])
        finally:
            await self._discard(uploads.values())

    @asynccontextmanager
    async def content(self, content: bytes, name: str) -> AsyncIterator[Received]:
        """Bytes in memory as a document. It is removed at the end unless a job has taken it. Raises StorageError."""
        part, uploads = Part(name, waiting=bytearray(content), is_complete=True), dict[Part, Upload]()
        try:
            await self._store(part, uploads)
            yield _received(name, uploads[part])
        finally:
            await self._discard(uploads.values())

    @asynccontextmanager
    async def json(self, request: Request) -> AsyncIterator[ArrivedJson]:
        """The JSON object in the body, which may have one document. That is removed at the end unless a job took it.

        Raises InvalidOptions for another body, ApiError, StorageError.
        """
        parser, part, uploads = JsonBody(), Part("document"), dict[Part, Upload]()
        try:
            async with self._places.place(_caller(request)) as place:
                async for piece in self._pieces(request, place, int(self.max_bytes * _BASE64) + MOST):
                    part.waiting += await run_sync(parser.feed, piece, limiter=self._writers)
                    if parser.has_document:
                        await self._store(part, uploads)
                        if uploads[part].bytes + len(part.waiting) > self.max_bytes:
                            raise _too_large(self.max_bytes)
                part.is_complete = True
                if parser.has_document:
                    await self._store(part, uploads)
                values = await run_sync(_object, bytes(parser.rest), limiter=self._writers)
            document = _received(part.name, uploads[part]) if parser.has_document else None
            yield ArrivedJson(values, document, parser.mark)
        finally:
            await self._discard(uploads.values())

    async def text(self, request: Request, limit: int) -> bytes:
        """A very short body, whole. Raises ApiError if it has more than `limit` bytes."""
        return b"".join([piece async for piece in self._pieces(request, Place(_caller(request)), limit)])

    async def _pieces(self, request: Request, place: Place, limit: int) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises ApiError if it is too large, too slow or incomplete."""
        announced = request.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(limit)
        received, due, expected = 0, 0.0, 0
        while True:
            if received >= expected:  # enough has come: a new period begins
                due, expected = time.monotonic() + self._stall_seconds, received + _LEAST_BYTES
            try:
                async with place.waiting(due - time.monotonic()):
                    message = await request.receive()
            except TimeoutError:
                raise ApiError(
                    "upload_stalled",
                    f"less than {_LEAST_BYTES:,} bytes arrived in {self._stall_seconds:g} s: send the request again",
                ) from None
            if message["type"] != "http.request":
                raise ApiError("incomplete_request", "the client went away before its request was complete")
            received += len(message.get("body", b""))
            place.add(len(message.get("body", b"")))
            if received > limit:
                raise _too_large(limit)
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def _store(self, part: Part, uploads: dict[Part, Upload]) -> None:
        """Write what has arrived of a document, if it is enough for a write or the rest."""
        if part not in uploads:
            uploads[part] = await run_sync(self.uploads.open, limiter=self._writers)
        if part.waiting and (part.is_complete or len(part.waiting) >= _PIECE):
            piece, part.waiting = part.waiting, bytearray()
            await run_sync(uploads[part].write, piece, limiter=self._writers)

    async def _discard(self, uploads: Iterable[Upload]) -> None:
        with anyio.CancelScope(shield=True):
            for upload in uploads:
                await run_sync(upload.discard, limiter=self._writers)


def _object(text: bytes) -> dict[str, Any]:
    """The JSON object in a text. Raises InvalidOptions."""
    try:
        value = json_text.parsed(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidOptions("the body must be a JSON object")
    return value


def check_media_type(declared: str) -> None:
    """Raise ApiError for a Content-Type that no document has. The bytes decide about all other ones, later."""
    kind = declared.partition(";")[0].strip().lower()
    if kind.partition("/")[0] in _NO_DOCUMENTS or kind in _NO_DOCUMENTS:
        raise ApiError(
            "unsupported_format",
            f"the body is of the type {kind[:80]}, which is not read: send a PDF or an image, or no Content-Type",
        )


def document_name(request: Request) -> str | None:
    """The name of the document that is the body: of the header X-Filename, URL-quoted, or Content-Disposition."""
    if given := request.headers.get("X-Filename"):
        return last_part(unquote(given))
    disposition = Message()
    disposition["Content-Disposition"] = request.headers.get("Content-Disposition", "")
    return last_part(disposition.get_filename() or "") or None


def _caller(request: Request) -> str:
    """Who shares the places with others: an API key, or where none is asked for, an address."""
    return getattr(request.state, "key", "") or (request.client.host if request.client else "")


def _received(name: str, upload: Upload) -> Received:
    return Received(name, upload.path, upload.sha256, upload.bytes)


def _too_large(limit: int) -> ApiError:
    return ApiError(
        "too_large", f"the request has more than {limit:,} bytes: send smaller or fewer documents, or raise OCR_MAX_MB"
    )
