"""The font of invisible text: its glyphs are empty, and its ToUnicode map says which character each code is.

It is a composite font (ISO 32000-1, 9.7). A character gets its code when it is first used, so one font serves every
script, and its size depends on the number of different characters. Its TrueType program has an empty glyph of each
width, since MuPDF before 1.25 takes the width of a character from it.
"""

import struct
from collections.abc import Sequence
from typing import Protocol

from bidi import get_display

from ocrqueue.formats.placement import DESCENT, width

_EM = 1000  # units of the font per its size
_LAST_CODE = 0xFFFF  # codes have two bytes; characters after the 65,535th share this code
_BLOCK = 100  # entries in a block of a CMap, at most (Adobe Technical Note 5411)
_CHECKSUM = 0xB1B0AFBA  # minus the checksum of the whole file: the field checkSumAdjustment of the table `head`
_MAGIC = b"\x5f\x0f\x3c\xf5"  # follows checkSumAdjustment in the table `head`
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
    """A PDF to which objects can be added."""

    def reserve(self) -> int:
        """Return the number of a new object, which `put` writes later."""
        ...

    def put(self, number: int, body: str, stream: bytes | None = None) -> None:
        """Write an object: the entries of its dictionary, and its stream, if it is one."""
        ...


class Glyphs:
    """The codes of the characters used so far, and the font that is written from them at the end."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encoded(self, text: str) -> str:
        """The codes of a line's characters as hexadecimal digits, in visual order (from left to right).

        Readers of PDFs expect visual order and restore the logical order of right-to-left text (Unicode UAX #9).
        """
        return "".join(f"{self._code(char):04X}" for char in str(get_display(text)))

    def write(self, sink: ObjectSink, number: int) -> None:
        """Write the font as object `number`."""
        font, descriptor, program, glyphs, meaning = (sink.reserve() for _ in range(5))
        widths = [round(_EM * width(char)) for char in self._codes][:_LAST_CODE]
        advances = [_EM // 2, *sorted(set(widths))]  # of the glyphs; the first is that of codes without a character
        glyph_of = {advance: glyph for glyph, advance in enumerate(advances)}
        sink.put(
            number,
            f"/Type /Font /Subtype /Type0 /BaseFont /OcrQueueText /Encoding /Identity-H "
            f"/DescendantFonts [{font} 0 R] /ToUnicode {meaning} 0 R",
        )
        sink.put(
            font,
            f"/Type /Font /Subtype /CIDFontType2 /BaseFont /OcrQueueText /FontDescriptor {descriptor} 0 R "
            f"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            f"/CIDToGIDMap {glyphs} 0 R /DW {_EM // 2} /W [1 [{' '.join(map(str, widths))}]]",
        )
        sink.put(
            descriptor,
            f"/Type /FontDescriptor /FontName /OcrQueueText /Flags 4 /ItalicAngle 0 /StemV 80 /FontFile2 {program} 0 R "
            f"/FontBBox [0 {-DESCENT * _EM:.0f} {_EM} {(1 - DESCENT) * _EM:.0f}] "
            f"/Ascent {(1 - DESCENT) * _EM:.0f} /Descent {-DESCENT * _EM:.0f} /CapHeight {(1 - DESCENT) * _EM:.0f}",
        )
        truetype = _truetype(advances)
        sink.put(program, f"/Length1 {len(truetype)}", truetype)
        sink.put(glyphs, "", struct.pack(f">{len(widths) + 1}H", 0, *(glyph_of[advance] for advance in widths)))
        sink.put(meaning, "", self._cmap().encode("ascii"))

    def _code(self, char: str) -> int:
        return self._codes.setdefault(char, min(len(self._codes) + 1, _LAST_CODE))

    def _cmap(self) -> str:
        """The ToUnicode CMap (ISO 32000-1, 9.10.3)."""
        entries = [f"<{code:04X}> <{char.encode('utf-16-be').hex().upper()}>" for char, code in self._codes.items()]
        blocks = [entries[i : i + _BLOCK] for i in range(0, len(entries), _BLOCK)]
        body = "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
        return _CMAP_HEAD + body + _CMAP_TAIL


def _truetype(advances: Sequence[int]) -> bytes:
    """A TrueType program with an empty glyph of each of these widths (Apple, TrueType Reference Manual, chapter 6)."""
    up, down = round((1 - DESCENT) * _EM), round(-DESCENT * _EM)
    count, widest = len(advances), max(advances)
    tables = {
        b"glyf": bytes(4),
        b"head": struct.pack(
            ">4I2H2q4h2H3h", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, _EM, 0, 0, 0, down, _EM, up, 0, 8, 2, 0, 0
        ),
        b"hhea": struct.pack(">I3hH3h3h4hhH", 0x10000, up, down, 0, widest, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, count),
        b"hmtx": b"".join(struct.pack(">Hh", advance, 0) for advance in advances),
        b"loca": bytes(2 * (count + 1)),
        b"maxp": struct.pack(">I14H", 0x10000, count, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    offset = 12 + 16 * len(tables)
    directory, data = struct.pack(">I4H", 0x10000, len(tables), 64, 2, 32), b""
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        directory += tag + struct.pack(">3I", _checksum(padded), offset + len(data), len(table))
        data += padded
    whole = directory + data
    adjustment = (_CHECKSUM - _checksum(whole)) & 0xFFFFFFFF
    place = whole.index(_MAGIC) - 4
    return whole[:place] + struct.pack(">I", adjustment) + whole[place + 4 :]


def _checksum(padded: bytes) -> int:
    """The sum of the big-endian 32-bit words, modulo 2^32."""
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF
