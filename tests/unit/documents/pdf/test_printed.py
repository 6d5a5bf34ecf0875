"""Characters of a text layer as the page shows them, not as the file names them."""

import pytest

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.layout import arrange
from ocrqueue.states import WarningCode
from tests.support.paper import PROSE, Paper


@pytest.fixture
def paper(tmp_path):
    return Paper(tmp_path)


# -- hyphens ---------------------------------------------------------------------------------------------------------
def test_a_soft_hyphen_that_is_painted_is_a_minus(paper):
    paper.write(*PROSE)
    paper.write("Returned  -5.15", y=200, fontname="cour")
    paper.name({"-": "00ad"}, font="Courier")
    assert paper.texts()[-1] == "Returned -5.15"


def test_a_soft_hyphen_that_takes_up_no_room_is_nothing(paper):
    paper.write(*PROSE)
    paper.page.clean_contents()
    (xref,) = paper.page.get_contents()
    paper.pdf.update_stream(
        xref, paper.pdf.xref_stream(xref) + b" BT /helv 11 Tf 1 0 0 1 40 90 Tm [(auf-) 333 (zu)] TJ ET"
    )
    paper.name({"-": "00ad"}, font="Helvetica")
    assert paper.texts()[-1] == "aufzu"


# -- ligatures -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("letters", ["fi", "ffi", "ffl"])
def test_ligatures_on_a_coloured_ground_are_whole(paper, letters):
    paper.page.draw_rect(pymupdf.Rect(20, 20, 380, 280), color=None, fill=(1, 1, 0.9))
    paper.write(*PROSE)
    paper.write("an o#ce", y=200, fontname="cour")
    paper.name({"#": "".join(f"{ord(letter):04x}" for letter in letters)}, font="Courier")
    assert paper.texts()[-1] == f"an o{letters}ce"


# -- symbol fonts ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("font", "codes", "shown"),
    [
        ("SymbolMT", {"m": "f06d", "#": "f0b1", "$": "f0a3", "%": "f057"}, "μ±≤Ω"),
        ("Wingdings-Regular", {"m": "f0fc", "#": "f0fb", "$": "f0a7", "%": "f0fe"}, "✔✘▪☑"),
        ("Wingdings2", {"m": "f050", "#": "f04f", "$": "f052", "%": "f0a3"}, "✓✗☑□"),
    ],
)
def test_private_codes_of_symbol_fonts_are_what_they_show(paper, font, codes, shown):
    paper.write(*PROSE)
    paper.write("m#$%", y=200, fontname="cour")
    paper.name(codes, font="Courier", as_font=font)
    assert paper.texts()[-1] == shown


def test_codes_of_symbol_fonts_that_look_like_letters_are_what_they_show(paper):
    paper.write(*PROSE)
    paper.write("a m 3", y=200, fontname="cour")
    paper.name({}, font="Courier", as_font="ABCDEF+Symbol")
    assert paper.texts()[-1] == "α μ 3"


@pytest.mark.parametrize("has_encoding", [True, False])
def test_marks_of_zapf_dingbats(paper, has_encoding):
    """MuPDF gives the code of a glyph, or without an encoding the number in its name, "a20"."""
    paper.write(*PROSE)
    paper.write("438on", y=200, fontname="zadb")
    if not has_encoding:
        (font,) = (xref for xref, _, _, name, *_ in paper.page.get_fonts() if name == "ZapfDingbats")
        paper.pdf.xref_set_key(font, "Encoding", "null")
    assert paper.texts()[-1] == "✔✓✘❏■"


def test_ticked_form_fields_have_their_marks(paper):
    paper.write(*PROSE)
    for index, is_on in enumerate([True, False, True]):
        box = pymupdf.Widget()
        box.field_type, box.field_name = pymupdf.PDF_WIDGET_TYPE_CHECKBOX, f"box {index}"
        box.rect, box.field_value = pymupdf.Rect(40, 150 + 20 * index, 54, 164 + 20 * index), is_on
        paper.page.add_widget(box)
    assert [text for text in paper.texts() if text not in PROSE] == ["✓", "✓"]


# -- figures above and below the line --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("before", "figures", "rise", "shown"),
    [
        ("173 and 17", "3", 4, "173 and 17³"),
        ("10", "-6", 4, "10⁻⁶"),
        ("40.45", "1, 2", 4, "40.45¹, ²"),
        ("1,310", "a", 4, "1,310ᵃ"),
        ("CO", "2", -3, "CO₂"),
        ("the 1", "st", 4, "the 1st"),
        ("size ", "12", 0, "size 12"),
        ("Payments   ", "61", 3, "Payments 61"),
    ],
)
def test_raised_and_lowered_figures(paper, before, figures, rise, shown):
    paper.write(*PROSE)
    paper.write(before, y=200)
    paper.write(figures, x=40 + pymupdf.get_text_length(before, fontsize=11), y=200 - rise, size=7)
    assert paper.texts()[-1] == shown


# -- glyphs without a character --------------------------------------------------------------------------------------
def test_leader_dots_without_a_character_are_blanks(paper):
    for index, name in enumerate(["Wages", "Rent", "Water", "Books"]):
        paper.write(name, y=60 + 20 * index)
        paper.write("." * 40, x=90, y=60 + 20 * index, fontname="cour")
        paper.write(f"1,{index}02", x=350, y=60 + 20 * index)
    paper.name({".": "fffd"}, font="Courier")
    layer = paper.layer()
    assert arrange(layer.text).plain.split("\n")[:2] == ["Wages  1,002", "Rent  1,102"]
    assert (layer.text.warnings, layer.quality) == ((), None)


def test_a_character_that_the_file_does_not_name_is_counted(paper):
    paper.write(*PROSE)
    paper.write("a rope of 40 #g in all", y=200, fontname="cour")
    paper.name({"#": "e001"}, font="Courier")
    layer = paper.layer()
    assert layer.text.lines[-1].text == "a rope of 40 g in all"
    (warning,) = layer.text.warnings
    assert warning.code == WarningCode.UNKNOWN_CHARACTERS
    words = sum(len(line.words) for line in layer.lines)
    assert layer.quality == pytest.approx(1 - 1 / words)


@pytest.mark.parametrize("code", ["e001", "0007"])
def test_a_character_without_ink_is_not_missed(paper, code):
    paper.write(*PROSE)
    paper.write("a rope of 40 g", y=200, fontname="cour")
    paper.name({" ": code}, font="Courier")
    assert paper.layer().quality is None


# -- numbers and marks in a font of their own ------------------------------------------------------------------------
@pytest.mark.parametrize("shown", ["10 x 15 x 3", "X", "12 m"])
def test_a_font_with_one_letter_is_no_junk(paper, shown):
    for index in range(25):
        y = 20 + 11 * index
        paper.write("Oak frame", y=y, size=8)
        paper.write(shown, x=200, y=y, size=8, fontname="cour")
    layer = paper.layer()
    assert layer.is_whole
    assert [line.text for line in layer.lines][:2] == ["Oak frame", shown]


# -- printed twice ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["The abbot's mill"], ["The abbot's mill", "mill"]),
        (["The abbot's ", "mill"], ["The abbot's mill"]),
        (["The abbot's mill"], ["The abbo", "t's mi", "ll"]),
    ],
)
def test_text_that_is_printed_again_in_other_pieces_is_there_once(paper, first, second):
    paper.write(*PROSE)
    whole = "The abbot's mill"
    for pieces, shift in ((first, 0), (second, 0.3)):
        end = 0
        for piece in pieces:
            end = whole.index(piece, end - 4 if end == len(whole) else end)
            start = 40 + pymupdf.get_text_length(whole[:end], fontsize=11)
            paper.write(piece, x=start + shift, y=200)
            end += len(piece)
    assert "".join(paper.texts()[len(PROSE) :]).replace(" ", "") == "Theabbot'smill"


def test_text_over_hidden_text_is_kept(paper):
    paper.write(*PROSE, render_mode=3)
    paper.write(*PROSE)
    assert paper.texts() == PROSE


# -- directions ------------------------------------------------------------------------------------------------------
def drawn_with(paper, matrix):
    """Let a matrix of PDF apply to all that is on the page."""
    paper.page.clean_contents()
    (xref,) = paper.page.get_contents()
    paper.pdf.update_stream(xref, f"q {matrix} cm ".encode() + paper.pdf.xref_stream(xref) + b" Q")


@pytest.mark.parametrize("matrix", ["-1 0 0 1 400 0", "1 0 0 -1 0 300"])
@pytest.mark.parametrize("has_ground", [True, False])
def test_mirrored_text_is_whole_and_in_order(paper, matrix, has_ground):
    if has_ground:
        paper.page.draw_rect(pymupdf.Rect(20, 20, 380, 280), color=None, fill=(1, 1, 1))
    paper.write(*PROSE)
    drawn_with(paper, matrix)
    assert arrange(paper.layer().upright().text).plain.replace("\n\n", "\n").split("\n") == PROSE


def test_characters_that_are_printed_one_by_one_downwards_are_lines(paper):
    columns = ["図書室の、ご利用。", "本を「借りる」人は", "受付で名前を書く。"]
    for index, column in enumerate(columns):
        for row, char in enumerate(column):
            paper.write(char, x=300 - 22 * index, y=60 + 12 * row, size=12, fontname="japan")
    layer = paper.layer()
    assert arrange(layer.text).plain.split("\n") == columns
