"""The codes of characters in the invisible font of a searchable PDF."""

import re
import struct

import pytest

from ocrqueue.formats.pdf.glyphs import Glyphs


@pytest.mark.parametrize(
    ("logical", "visual"),
    [
        ("line 12", "line 12"),
        ("שלום עולם", "םלוע םולש"),
        ("שלום 123 עולם", "םלוע 123 םולש"),
        ("line שלום 12 עולם end", "line םלוע 12 םולש end"),  # the number belongs to the run that goes leftwards
    ],
)
def test_codes_stand_in_visual_order(logical, visual):
    glyphs = Glyphs()
    assert glyphs.encoded(logical) == "".join(glyphs.encoded(char) for char in visual)


def test_a_character_keeps_its_code():
    glyphs = Glyphs()
    assert glyphs.encoded("abab") == "0001000200010002"
    assert glyphs.encoded("cb") == "00030002"


class _Sink:
    """Keeps the objects of a font by number."""

    def __init__(self):
        self.bodies, self.streams = [], {}

    def reserve(self):
        self.bodies.append("")
        return len(self.bodies)

    def put(self, number, body, stream=None):
        self.bodies[number - 1], self.streams[number] = body, stream


def test_glyphs_are_as_wide_as_the_font_says():
    """MuPDF before 1.25 takes the widths of the font program, and put a blank after each wide letter."""
    glyphs, sink = Glyphs(), _Sink()
    text = "Wilma.1 中\u0301"
    glyphs.encoded(text)
    number = sink.reserve()
    glyphs.write(sink, number)
    font = next(body for body in sink.bodies if "/W [" in body)
    widths = [int(width) for width in re.search(r"/W \[1 \[([\d ]+)\]\]", font)[1].split()]
    assert len(set(widths)) > 4
    chosen = sink.streams[int(re.search(r"/CIDToGIDMap (\d+)", font)[1])]
    program = next(stream for stream in sink.streams.values() if stream and stream.startswith(b"\0\1\0\0"))
    tables = {
        program[at : at + 4]: struct.unpack_from(">2I", program, at + 8)
        for at in range(12, 12 + 16 * struct.unpack_from(">H", program, 4)[0], 16)
    }
    (start, size), (head, _) = tables[b"hmtx"], tables[b"maxp"]
    advances = [advance for advance, _ in struct.iter_unpack(">Hh", program[start : start + size])]
    assert struct.unpack_from(">H", program, head + 4)[0] == len(advances)
    assert tables[b"loca"][1] == 2 * (len(advances) + 1)
    picked = [advances[glyph] for (glyph,) in struct.iter_unpack(">H", chosen)]
    assert picked[1:] == widths
    assert len(picked) == len(set(text)) + 1
