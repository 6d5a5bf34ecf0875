"""The codes of characters in the invisible font of a searchable PDF."""

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
