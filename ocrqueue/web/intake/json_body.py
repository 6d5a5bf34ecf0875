"""Takes a JSON body apart while it arrives: a document in base64 is decoded piece by piece, the rest goes to memory.

A document is the only text of a body that may be long. In its place the rest has `mark`, so that an endpoint sees in
which field the document is. The rest is short, so that parsing it takes neither long nor much memory.
"""

import binascii
import json
import re
from uuid import uuid4

from ocrqueue.web.problems import ApiError

SHORT = 16_384  # bytes of a text that stays in the rest
MOST = 1 << 18  # bytes of the rest
_STOP = re.compile(rb'["\\]')  # in a text: its end, or the beginning of an escape
_ESCAPE = 6  # bytes of the longest escape of a character, \u002b
_BLANKS = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")  # characters of the alphabet for URLs, as those of the other one (RFC 4648)


class JsonBody:
    """One JSON body. Raises ApiError for one that has too much, or a long text that is not base64."""

    def __init__(self) -> None:
        self.rest = bytearray()
        self.mark = f"document {uuid4()}"  # which no client knows
        self.has_document = False
        self._begin: int | None = None  # of the text that arrives, in `rest`; None: none does
        self._is_escaped = False  # the next byte belongs to an escape
        self._base64: Base64 | None = None  # of the long text that arrives; None: the text is short so far

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece of the body; returns the next bytes of the document."""
        found, at = [], 0
        while at < len(piece):
            if self._begin is None:
                end = piece.find(b'"', at) + 1 or len(piece)
                self._keep(piece[at:end])
                if self.rest.endswith(b'"'):
                    self._begin = len(self.rest)
            else:
                end, has_ended = self._end(piece, at)
                found.append(self._text(piece[at : end - has_ended]))
                if has_ended:
                    found.append(self._end_text())
            at = end
        return b"".join(found)

    def _end(self, piece: bytes, at: int) -> tuple[int, bool]:
        """Where the part of a text that begins `at` a place of a piece ends, and whether the text ends there."""
        if self._is_escaped:
            at, self._is_escaped = at + 1, False
        while stop := _STOP.search(piece, at):
            if stop[0] == b'"':
                return stop.end(), True
            at = stop.end() + 1
        self._is_escaped = at > len(piece)
        return len(piece), False

    def _text(self, part: bytes) -> bytes:
        """Take a part of a text; returns the bytes of the document in it."""
        if self._base64 is None:
            assert self._begin is not None
            if len(self.rest) - self._begin + len(part) <= SHORT:
                self._keep(part)
                return b""
            if self.has_document:
                raise ApiError(
                    "too_large", f"the JSON has more than one text of more than {SHORT:,} bytes: send one document"
                )
            head = bytes(self.rest[self._begin :]) + part[:SHORT]
            start = head.find(b",") + 1 if head[:5].lower() == b"data:" else 0  # the head of a data: URL stays
            del self.rest[self._begin :]
            self._keep(head[:start] + self.mark.encode())
            self.has_document, self._base64 = True, Base64()
            part = head[start:] + part[SHORT:]
        return self._base64.feed(part)

    def _end_text(self) -> bytes:
        """The text has ended; returns the last bytes of the document, if it was one."""
        last = self._base64.finish() if self._base64 else b""
        self._begin = self._base64 = None
        self._keep(b'"')
        return last

    def _keep(self, part: bytes) -> None:
        self.rest += part
        if len(self.rest) > MOST:
            raise ApiError("too_large", f"the JSON has more than {MOST:,} bytes besides its document: leave some out")


class Base64:
    """Decodes base64 as a JSON text has it: of both alphabets, with escapes and line breaks. Raises ApiError."""

    def __init__(self) -> None:
        self._raw = b""  # an escape that may go on
        self._left = b""  # characters that wait for others: four make three bytes
        self._has_ended = False

    def feed(self, part: bytes) -> bytes:
        """Take characters; returns the bytes that are complete."""
        raw = self._raw + part
        begin = raw.rfind(b"\\", max(0, len(raw) - _ESCAPE))
        cut = begin if begin >= 0 else len(raw)
        self._raw = raw[cut:]
        return self._decoded(raw[:cut], is_last=False)

    def finish(self) -> bytes:
        """The last bytes."""
        raw, self._raw = self._raw, b""
        return self._decoded(raw, is_last=True)

    def _decoded(self, raw: bytes, is_last: bool) -> bytes:
        try:
            if b"\\" in raw:
                raw = json.loads(b'"%s"' % raw).encode("ascii")
            text = self._left + raw.translate(_URL_SAFE, _BLANKS)
            end = len(text) if is_last else len(text) // 4 * 4
            text, self._left = text[:end], text[end:]
            if text and self._has_ended:
                raise ValueError("there is more after the end")
            self._has_ended = text.endswith(b"=")
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError:  # also those of json, of characters that are not ASCII, and of binascii
            raise ApiError(
                "invalid_request", f"the JSON has a text of more than {SHORT:,} bytes that is not a document in base64"
            ) from None
