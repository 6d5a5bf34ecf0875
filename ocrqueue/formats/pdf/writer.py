"""A new PDF, written object by object. Only the offsets of its objects are kept in memory."""

import zlib
from typing import BinaryIO

_COMMENT = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"  # bytes above 127 mark the file as binary


class PdfWriter:
    """Writes the file structure of ISO 32000-1, 7.5, to a stream that need not be seekable."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._length = 0
        self._offsets: list[int] = []  # of object n at index n - 1, in bytes; 0: reserved, not written yet
        self._write(_COMMENT)

    def reserve(self) -> int:
        """Return the number of a new object, which `put` writes later."""
        self._offsets.append(0)
        return len(self._offsets)

    def put(self, number: int, body: str, stream: bytes | None = None) -> None:
        """Write an object: the entries of its dictionary, and its stream, if it is one.

        The stream is compressed with zlib, unless the entries name a filter.
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
        """Write the cross-reference table and the trailer; object `root` is the catalog."""
        start = self._length
        entries = "".join(f"{offset:010d} 00000 n \n" for offset in self._offsets)
        size = len(self._offsets) + 1
        self._write(f"xref\n0 {size}\n0000000000 65535 f \n{entries}".encode("ascii"))
        self._write(f"trailer\n<< /Size {size} /Root {root} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("ascii"))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._length += len(data)
