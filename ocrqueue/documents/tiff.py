"""Any frame of a TIFF file at the same cost, however many frames come before it.

The frames of a TIFF form a chain: the directory of each frame ends with the offset of the next directory (TIFF 6.0,
section 2; BigTIFF is the same with wider fields). Pillow follows this chain from the first frame whenever it opens a
file, and parses all tags on the way. `FrameChain` follows it once, reads two numbers per frame, and keeps the offsets.
"""

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO


@dataclass(frozen=True, slots=True)
class _Fields:
    """How wide a file's numbers are. Formats are those of `struct`, with the byte order."""

    offset: str  # format of a directory's offset
    count: str  # format of the number of entries, with which a directory begins
    entry_size: int  # bytes
    header_pointer: int  # position in the file at which the header holds the first directory's offset


_FIELDS = {
    b"II*\0": _Fields("<I", "<H", 12, 4),
    b"MM\0*": _Fields(">I", ">H", 12, 4),
    b"II+\0": _Fields("<Q", "<Q", 20, 8),  # BigTIFF
    b"MM\0+": _Fields(">Q", ">Q", 20, 8),
}


class FrameChain:
    """The directories of one TIFF file, found in order and only as far as they are needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: list[int] = []  # of the directories found so far
        self._known: set[int] = set()  # the same offsets
        self._pointers: list[int] = []  # positions in the file of these offsets, and of the next directory's offset

    def open_with_second(self, number: int) -> BinaryIO | None:
        """Open the file so that frame `number` (at least 2) directly follows the first frame.

        The first frame stays, because Pillow applies its resolution to frames that have none. Returns None if the chain
        ends before the frame. Raises OSError if the file cannot be read.
        """
        with self._path.open("rb", buffering=0) as file:
            fields = _FIELDS.get(file.read(4) or b"")
            if fields is None:
                return None
            while len(self._offsets) < number:
                if not self._find_next(file, fields):
                    return None
        pointer = struct.pack(fields.offset, self._offsets[number - 1])
        return io.BufferedReader(_ChangedFile(self._path, self._pointers[1], pointer))

    def _find_next(self, file: io.FileIO, fields: _Fields) -> bool:
        """Find one more directory; False at the end of the chain, which may be damage."""
        pointer = self._pointers[-1] if self._pointers else fields.header_pointer
        offset = _number(file, pointer, fields.offset)
        if not offset or offset in self._known:  # Pillow, too, ends a chain that leads back
            return False
        entries = _number(file, offset, fields.count)
        if entries is None:
            return False
        if not self._pointers:
            self._pointers.append(pointer)
        self._offsets.append(offset)
        self._known.add(offset)
        self._pointers.append(offset + struct.calcsize(fields.count) + entries * fields.entry_size)
        return True


class _ChangedFile(io.FileIO):
    """A file opened for reading in which some bytes appear replaced. The file on disk does not change."""

    def __init__(self, path: Path, position: int, replacement: bytes) -> None:
        super().__init__(path, "rb")
        self._position = position
        self._replacement = replacement

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`, and replace what belongs to the changed part."""
        start = self.tell()
        count = super().readinto(buffer)
        first, last = max(start, self._position), min(start + count, self._position + len(self._replacement))
        if first < last:
            part = self._replacement[first - self._position : last - self._position]
            memoryview(buffer)[first - start : last - start] = part
        return count


def _number(file: io.FileIO, position: int, layout: str) -> int | None:
    """The number at a position of the file; None if the file ends before it."""
    size = struct.calcsize(layout)
    if position + size > os.fstat(file.fileno()).st_size:
        return None
    file.seek(position)
    return int(struct.unpack(layout, file.read(size))[0])
