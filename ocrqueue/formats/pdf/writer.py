"""A new PDF, written object by object: nothing of it but where its objects begin is kept in memory."""

import zlib
from typing import BinaryIO

_COMMENT = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"  # the bytes tell programs that move files that this is no text


class PdfWriter:
    """Writes to a stream from its beginning; ISO 32000-1, 7.5."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._length = 0
        self._offsets: list[int] = []  # of object n at n - 1; 0: reserved, not written
        self._write(_COMMENT)

    def reserve(self) -> int:
        """The number of a new object."""
        self._offsets.append(0)
        return len(self._offsets)

    def put(self, number: int, body: str, stream: bytes | None = None) -> None:
        """Write an object: the entries of its dictionary, and the stream that goes with them.

        A stream is compressed unless the entries name a filter of its own.
        """
        self._offsets[number - 1] = self._length
        if stream is None:
            self._write(f"{number} 0 obj\n<< {body} >>\nendobj\n".encode("ascii"))
            return
        if "/Filter" not in body:
            body, stream = f"{body} /Filter /FlateDecode", zlib.compress(stream)
        self._write(f"{number} 0 obj\n<< {body} /Length {len(stream)} >>\nstream\n".encode("ascii"))
        self._write(stream)
        self._write(b"\nendstream\nendobj\n")

    def add(self, body: str, stream: bytes | None = None) -> int:
        """Write a new object; returns its number."""
        number = self.reserve()
        self.put(number, body, stream)
        return number

    def finish(self, root: int) -> None:
        """Write the table of objects, and that `root` is the catalogue."""
        start = self._length
        entries = "".join(f"{offset:010d} 00000 n \n" for offset in self._offsets)
        size = len(self._offsets) + 1
        self._write(f"xref\n0 {size}\n0000000000 65535 f \n{entries}".encode("ascii"))
        self._write(f"trailer\n<< /Size {size} /Root {root} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("ascii"))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._length += len(data)
