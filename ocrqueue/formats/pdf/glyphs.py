"""A font for text that is found and never seen: it draws nothing and says which characters its codes stand for.

It is a composite font (ISO 32000-1, 9.7) whose codes are given out as characters come up, so one font serves every
script and stays as small as the characters used; the TrueType program in it has one glyph, which is empty.
"""

import struct
import unicodedata
from typing import Protocol

from ocrqueue.formats.placement import is_right_to_left, width

DESCENT = 0.2  # the part of a line's height below its baseline
_EM = 1000
_MOST = 0xFFFF  # codes of two bytes; further characters share the last one
_BLOCK = 100  # entries of one block in a CMap
_CMAP_HEAD = """\
/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
"""
_CMAP_TAIL = "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"


class ObjectSink(Protocol):
    """A PDF that takes objects."""

    def reserve(self) -> int:
        """The number of a new object."""
        ...

    def put(self, number: int, body: str, stream: bytes | None = None) -> None:
        """Write an object: the entries of its dictionary, and the stream that goes with them."""
        ...


class Glyphs:
    """Codes of characters, and at the end the font that explains them."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encoded(self, text: str) -> str:
        """The text as a hexadecimal string of codes, in the order in which it is seen from left to right."""
        return "".join(f"{self._code(char):04X}" for char in seen_order(text))

    def write(self, sink: ObjectSink, number: int) -> None:
        """Write the font as object `number`."""
        font, descriptor, program, glyphs, meaning = (sink.reserve() for _ in range(5))
        widths = " ".join(f"{_EM * width(char):.0f}" for char in self._codes)
        sink.put(
            number,
            f"/Type /Font /Subtype /Type0 /BaseFont /OcrQueueText /Encoding /Identity-H "
            f"/DescendantFonts [{font} 0 R] /ToUnicode {meaning} 0 R",
        )
        sink.put(
            font,
            f"/Type /Font /Subtype /CIDFontType2 /BaseFont /OcrQueueText /FontDescriptor {descriptor} 0 R "
            f"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            f"/CIDToGIDMap {glyphs} 0 R /DW {_EM // 2} /W [1 [{widths}]]",
        )
        sink.put(
            descriptor,
            f"/Type /FontDescriptor /FontName /OcrQueueText /Flags 4 /ItalicAngle 0 /StemV 80 /FontFile2 {program} 0 R "
            f"/FontBBox [0 {-DESCENT * _EM:.0f} {_EM} {(1 - DESCENT) * _EM:.0f}] "
            f"/Ascent {(1 - DESCENT) * _EM:.0f} /Descent {-DESCENT * _EM:.0f} /CapHeight {(1 - DESCENT) * _EM:.0f}",
        )
        truetype = _truetype()
        sink.put(program, f"/Length1 {len(truetype)}", truetype)
        sink.put(glyphs, "", bytes(2 * (len(self._codes) + 1)))
        sink.put(meaning, "", self._cmap().encode("ascii"))

    def _code(self, char: str) -> int:
        return self._codes.setdefault(char, min(len(self._codes) + 1, _MOST))

    def _cmap(self) -> str:
        entries = [f"<{code:04X}> <{char.encode('utf-16-be').hex().upper()}>" for char, code in self._codes.items()]
        blocks = [entries[i : i + _BLOCK] for i in range(0, len(entries), _BLOCK)]
        body = "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
        return _CMAP_HEAD + body + _CMAP_TAIL


def seen_order(text: str) -> str:
    """A line's characters as they stand from left to right, which is how readers of PDFs expect scripts that run left.

    The Unicode bidirectional algorithm cut down to a line of one direction with words or numbers of the other in it.
    """
    kinds = [unicodedata.bidirectional(char) for char in text]
    if not {"R", "AL"} & set(kinds):
        return text
    leftwards = is_right_to_left(text)
    runs: list[tuple[bool, str]] = []  # (runs to the left, characters)
    for index, char in enumerate(text):
        run_left = _runs_left(kinds, index, leftwards)
        if runs and runs[-1][0] == run_left:
            runs[-1] = (run_left, runs[-1][1] + char)
        else:
            runs.append((run_left, char))
    turned = [chars[::-1] if run_left else chars for run_left, chars in runs]
    return "".join(reversed(turned) if leftwards else turned)


def _runs_left(kinds: list[str], index: int, leftwards: bool) -> bool:
    """The direction of a character; one without its own has its neighbours' where they agree, else the line's."""
    own = {"R": True, "AL": True, "NSM": True, "L": False, "EN": False, "AN": False}
    if kinds[index] in own:
        return own[kinds[index]]
    before = next((own[kind] for kind in reversed(kinds[:index]) if kind in own), leftwards)
    after = next((own[kind] for kind in kinds[index + 1 :] if kind in own), leftwards)
    return before if before == after else leftwards


def _truetype() -> bytes:
    """A TrueType program with one glyph that draws nothing (Apple's TrueType Reference Manual, chapter 6)."""
    up, down = round((1 - DESCENT) * _EM), round(-DESCENT * _EM)
    tables = {
        b"glyf": bytes(4),
        b"head": struct.pack(
            ">4I2H2q4h2H3h", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, _EM, 0, 0, 0, down, _EM, up, 0, 8, 2, 0, 0
        ),
        b"hhea": struct.pack(">I3hH3h3h4hhH", 0x10000, up, down, 0, _EM // 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1),
        b"hmtx": struct.pack(">Hh", _EM // 2, 0),
        b"loca": struct.pack(">2H", 0, 0),
        b"maxp": struct.pack(">I14H", 0x10000, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    offset = 12 + 16 * len(tables)
    directory, data = struct.pack(">I4H", 0x10000, len(tables), 64, 2, 32), b""
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        directory += tag + struct.pack(">3I", _checksum(padded), offset + len(data), len(table))
        data += padded
    whole = directory + data
    adjustment = (0xB1B0AFBA - _checksum(whole)) & 0xFFFFFFFF
    place = whole.index(b"\x5f\x0f\x3c\xf5") - 4
    return whole[:place] + struct.pack(">I", adjustment) + whole[place + 4 :]


def _checksum(padded: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF
