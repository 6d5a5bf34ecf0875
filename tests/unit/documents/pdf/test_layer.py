"""Text of a PDF that is not used: it is invisible, has no meaning, or comes from an earlier OCR."""

import pytest

from ocrqueue.documents.pdf import document as pdf_module
from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.paper import PROSE, Paper, photograph, scanned

SHIFTED = str.maketrans({chr(c): chr(c - 29) for c in range(0x41, 0x7B)})  # glyph numbers instead of characters
ROT = str.maketrans("abcdefghijklmnopqrstuvwxyz", "qzjxkvbpygfwmucldrhsniotae")


@pytest.fixture
def paper(tmp_path):
    return Paper(tmp_path)


# -- hidden text ----------------------------------------------------------------------------------------------------
def off_page(paper):
    paper.write("SECRET", x=410, y=60)


def out_of_the_crop_box(paper):
    paper.write("SECRET", x=40, y=290)
    paper.page.set_cropbox(pymupdf.Rect(0, 0, 400, 260))


def invisible(paper):
    paper.write("SECRET", y=200, render_mode=3)


def white_on_white(paper):
    paper.write("SECRET words", y=200, color=(1, 1, 1))


def black_on_black(paper):
    paper.page.draw_rect(pymupdf.Rect(20, 180, 380, 220), color=None, fill=(0, 0, 0))
    paper.write("SECRET words", y=200)


def transparent(paper):
    paper.write("SECRET", y=200, fill_opacity=0)


def tiny(paper):
    paper.write("SECRET", y=200, size=0.5)


def under_a_bar(paper):
    paper.write("SECRET words", y=200)
    paper.page.draw_rect(pymupdf.Rect(36, 188, 300, 206), color=None, fill=(0, 0, 0))


def under_white_paint(paper):
    paper.write("SECRET words", y=200)
    paper.page.draw_rect(pymupdf.Rect(36, 188, 300, 206), color=None, fill=(1, 1, 1))


def under_a_picture(paper):
    paper.write("SECRET words", y=240)
    paper.picture((30, 220, 200, 260), photograph())


def in_a_layer_that_is_off(paper):
    off = paper.pdf.add_ocg("draft", on=False)
    paper.write("SECRET", y=200, oc=off)


def clipped_away(paper):
    paper.write("SECRET", y=200)
    xref = paper.page.get_contents()[-1]
    paper.pdf.update_stream(xref, b"q 0 0 10 10 re W n " + paper.pdf.xref_stream(xref) + b" Q")


@pytest.mark.parametrize(
    "hide",
    [
        off_page, out_of_the_crop_box, invisible, white_on_white, black_on_black, transparent, tiny, under_a_bar,
        under_white_paint, under_a_picture, in_a_layer_that_is_off, clipped_away,
    ],
)  # fmt: skip
@pytest.mark.parametrize("rotation", [0, 90])
def test_hidden_text_does_not_leak(paper, hide, rotation):
    paper.write(*PROSE)
    hide(paper)
    paper.page.set_rotation(rotation)
    assert paper.texts() == PROSE


@pytest.mark.parametrize("paint", [b"0 0 1 rg 0 0 400 300 re f", b""])
def test_text_whose_outline_is_painted_is_visible(paper, paint):
    paper.write(*PROSE)
    paper.write("GRADIENT", y=200, size=30, render_mode=7)
    stream = paper.page.get_contents()[-1]
    paper.pdf.update_stream(stream, paper.pdf.xref_stream(stream).replace(b"ET", b"ET " + paint))
    assert paper.texts() == ([*PROSE, "GRADIENT"] if paint else PROSE)


def test_hidden_text_of_an_earlier_ocr_as_an_outline_is_not_used(paper):
    paper.picture(paper.page.rect, scanned())
    paper.write(*PROSE, render_mode=7)
    assert paper.layer() is None


@pytest.mark.parametrize("written_downwards", [True, False])
def test_characters_that_are_printed_one_by_one_downwards_are_no_lines(paper, written_downwards):
    for column in range(3):
        for row in range(8):
            text = "縦書き"[row % 3] if written_downwards else "縦書き"
            paper.write(text, x=300 - 60 * column, y=60 + 20 * row, fontname="japan")
    assert (paper.layer() is None) == written_downwards


def test_a_word_under_a_bar_is_removed_without_its_neighbours(paper):
    paper.write(*PROSE)
    box = paper.page.search_for("grey")[0]
    paper.page.draw_rect(box, color=None, fill=(0, 0, 0))
    assert paper.texts() == [PROSE[0], "wrote their names into a long book, and went", *PROSE[2:]]


def test_a_page_with_only_invisible_text_has_no_layer(paper):
    paper.write(*PROSE, render_mode=3)
    assert paper.layer() is None


# -- text without meaning --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "lines",
    [
        [line.translate(SHIFTED) for line in PROSE],
        [line.lower().translate(ROT) for line in PROSE],
        ["(cid:12)(cid:33)(cid:7) (cid:12)(cid:9)"] * 3,
        ["!\"#$%&'()*+,-./", "!\"#$ %&'( )*+,"],
        ["iiiiiiiiii iiiiiii iiii iiiiiiiiii"] * 3,
        ["Ïðèâåòñòâóåì âàñ íà íàøåé ñòðàíèöå", "çäåñü âû íàéäåòå âñå"],
        ["§$%& ~~** {}[] <<>> ##|| §§$$ %%&&"],
    ],
    ids=["shifted", "shuffled", "cid", "numbered", "repeated", "encoding", "symbols"],
)
def test_gibberish_is_not_used(paper, lines):
    paper.write(*lines)
    assert paper.layer() is None


def remapped(paper, target):
    """Give the first font of the page a character map that maps all codes to `target`."""
    (font, *_), *_ = paper.page.get_fonts()
    entry = f"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <00> <ff> {target} endbfrange"
    xref = paper.pdf.get_new_xref()
    paper.pdf.update_object(xref, "<<>>")
    cmap = f"/CIDInit /ProcSet findresource begin begincmap {entry} endcmap end"
    paper.pdf.update_stream(xref, cmap.encode())
    paper.pdf.xref_set_key(font, "ToUnicode", f"{xref} 0 R")


@pytest.mark.parametrize("target", ["<e000>", f"[{' <fffd>' * 256}]"])
def test_characters_without_meaning_are_not_used(paper, target):
    paper.write(*PROSE)
    remapped(paper, target)
    assert paper.layer() is None


def test_lines_of_a_font_without_a_map_have_to_be_read(paper):
    paper.write("A label", y=200, fontname="cour")
    remapped(paper, "<e000>")
    paper.write(*PROSE)
    layer = paper.layer()
    assert [line.text for line in layer.lines] == PROSE
    assert not layer.is_whole


def test_an_earlier_ocr_of_a_scan_is_not_used(paper):
    paper.picture(paper.page.rect, scanned())
    paper.write(*PROSE, render_mode=3)
    assert paper.layer() is None


def test_text_covered_by_a_scan_is_not_used(paper):
    paper.write(*PROSE)
    paper.picture(paper.page.rect, scanned())
    assert paper.layer() is None


def test_a_scan_with_a_page_number_has_no_layer(paper):
    paper.picture(paper.page.rect, scanned())
    paper.write("Page 7 of 12", y=290)
    assert paper.layer() is None


def test_a_page_of_letters_drawn_as_shapes_has_no_layer(paper):
    paper.write("7", x=200, y=290)
    for n in range(100):
        paper.page.draw_rect(pymupdf.Rect(40 + 3 * n, 60, 42 + 3 * n, 66), color=None, fill=(0, 0, 0))
    assert paper.layer() is None


def test_too_much_text_for_a_page_is_not_used(paper, monkeypatch):
    monkeypatch.setattr("ocrqueue.documents.pdf.text.MAX_CHARACTERS", 100)
    paper.write(*PROSE)
    assert paper.layer() is None


def test_after_an_error_the_page_has_no_layer(paper, monkeypatch):
    paper.write(*PROSE)

    def fails(page):
        raise RuntimeError("code=7: syntax error in text")

    monkeypatch.setattr(pdf_module, "usable_text", fails)
    assert paper.layer() is None
