"""Text layers: their text, the positions of their words, and how they are joined with lines of an engine."""

from dataclasses import replace

import pytest
from PIL import Image

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.transforms import apply, between
from ocrqueue.layout import arrange
from ocrqueue.pages import Line, PageText
from tests.support.pagemaker import box
from tests.support.paper import DPI, PROSE, ZOOM, Paper, photograph, scanned


@pytest.fixture
def paper(tmp_path):
    return Paper(tmp_path)


# -- text and boxes --------------------------------------------------------------------------------------------------
def test_the_text_layer_has_lines_and_words(paper):
    paper.write(*PROSE)
    layer = paper.layer()
    assert layer.text.plain == "\n".join(PROSE)
    assert layer.is_whole
    assert {(line.origin, line.confidence) for line in layer.lines} == {("text_layer", None)}
    assert [word.text for word in layer.lines[1].words] == PROSE[1].split()
    assert layer.seconds > 0


@pytest.mark.parametrize("cropped", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_are_where_the_page_image_has_its_ink(paper, rotation, cropped):
    paper.write("Hxxdgl", x=90, y=120, size=40)
    if cropped:
        paper.page.set_cropbox(pymupdf.Rect(30, 20, 350, 280))
    paper.page.set_rotation(rotation)
    paper.pdf.xref_set_key(paper.page.xref, "UserUnit", "1.5")
    with paper.opened() as document:
        layer, image = document.text_layer(1, 100, DPI), document.render(1, 100, DPI)
    assert (layer.width, layer.height) == image.image.size
    assert (layer.dpi, layer.rotation, layer.transform) == (image.dpi, image.rotation, image.transform)
    (line,) = layer.lines
    ink = image.image.convert("L").point(lambda v: 255 if v < 128 else 0).getbbox()
    xs, ys = [x for x, _ in line.box], [y for _, y in line.box]
    assert (min(xs), max(xs)) == pytest.approx((ink[0], ink[2]), abs=25)
    assert (min(ys), max(ys)) == pytest.approx((ink[1], ink[3]), abs=25)
    (word,) = line.words
    assert word.box == line.box
    first = apply(layer.transform, *line.box[3])  # bottom left of the text, in points of the page
    x0, y0 = (30, 20) if cropped else (0, 0)
    assert first == pytest.approx(((90 - x0) * 1.5, (120 - y0) * 1.5), abs=16)


@pytest.mark.parametrize("drawn", [0, 90, 180, 270])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_text_layer_that_lies_sideways_is_turned(paper, rotation, drawn):
    start = {0: (60, 60), 90: (60, 280), 180: (380, 280), 270: (380, 40)}[drawn]
    step = {0: (0, 30), 90: (30, 0), 180: (0, -30), 270: (-30, 0)}[drawn]
    words = ["Alpha one", "Bravo two", "Charlie three"]
    for i, text in enumerate(words):
        paper.page.insert_text((start[0] + i * step[0], start[1] + i * step[1]), text, fontsize=14, rotate=drawn)
    paper.page.insert_text((30, 20), "margin", fontsize=8)
    places = {text: paper.page.search_for(text)[0] for text in words}
    paper.page.set_rotation(rotation)
    layer = paper.layer()
    upright = layer.upright()
    assert [line.text for line in arrange(upright.text).lines if line.text != "margin"] == words
    assert upright.rotation == drawn
    assert {upright.width, upright.height} == {layer.width, layer.height}
    for line in upright.lines:
        (x0, y0), (x1, y1), _, (x3, y3) = line.box
        assert all(0 <= x <= upright.width and 0 <= y <= upright.height for x, y in line.box)
        if line.text in places:
            assert (y0, x0) == pytest.approx((y1, x3), abs=0.1)
            assert x0 < x1
            assert y0 < y3
            corners = [apply(upright.transform, x, y) for x, y in line.box]
            found = pymupdf.Rect(*map(min, zip(*corners, strict=True)), *map(max, zip(*corners, strict=True)))
            assert abs(found & places[line.text]) > 0.6 * abs(places[line.text])  # a search finds taller boxes
            assert line.words[0].box[0] == pytest.approx(line.box[0], abs=0.1)


def test_boxes_follow_the_direction_of_turned_text(paper):
    paper.page.insert_text((60, 250), "climbing", fontsize=20, rotate=90)
    turn = pymupdf.Matrix(30)
    paper.page.insert_text((150, 150), "slanting down", fontsize=20, morph=(pymupdf.Point(150, 150), turn))
    lines = {line.text: line for line in paper.layer().lines}
    (x0, y0), (x1, y1), _, (x3, y3) = lines["climbing"].box
    assert (x0, x3) == pytest.approx((60 * ZOOM - 30, 60 * ZOOM + 6), abs=8)
    assert (x1, y0, y3) == pytest.approx((x0, 250 * ZOOM, 250 * ZOOM), abs=1)
    assert y1 < y0 - 100
    (x0, y0), (x1, y1), _, _ = lines["slanting down"].box
    assert abs(y1 - y0) / (x1 - x0) == pytest.approx(0.577, abs=0.01)
    assert x0 == pytest.approx(150 * ZOOM, abs=40)


def test_text_is_as_a_reader_would_type_it(paper):
    font = pymupdf.Font("cjk")
    writer = pymupdf.TextWriter(paper.page.rect)
    writer.append((40, 40), "日本語の文、二つ", font=font, fontsize=14)
    writer.append((40, 80), "Zoe\u0308 and Rene\u0301", font=font, fontsize=14)
    writer.append((40, 120), "hyphen\u00adated and bro\u00ad", font=font, fontsize=14)
    writer.append((40, 160), "one\u00a0\u2003two", font=font, fontsize=14)
    writer.write_text(paper.page)
    paper.page.insert_htmlbox(pymupdf.Rect(40, 190, 300, 230), "<p>שלום עולם</p><p>office ﬂight</p>")
    layer = paper.layer()
    texts = [line.text for line in layer.lines]
    assert texts[:4] == ["日本語の文、二つ", "Zoë and René", "hyphen-ated and bro-", "one two"]
    assert "שלום עולם" in texts
    assert "office flight" in texts
    assert [word.text for word in layer.lines[0].words] == list("日本語の文、二つ")


def test_an_accent_printed_by_itself_is_joined_with_the_letter_below(paper):
    paper.write("f", x=40, size=20)
    paper.write("\u00a8", x=46, size=20)
    paper.write("ur", x=46, size=20)
    paper.write("5^2 and \u00a8", y=120)
    assert paper.texts() == ["für", "5^2 and \u00a8"]


def test_spaces_that_are_only_gaps_are_in_the_text(paper):
    x, size = 40.0, 14.0
    for word in ("Monthly", "means", "of", "all", "places"):
        paper.write(word, x=x, size=size)
        x += pymupdf.get_text_length(word, fontsize=size) + 0.1 * size
    assert paper.texts() == ["Monthly means of all places"]
    assert [word.text for word in paper.layer().lines[0].words] == ["Monthly", "means", "of", "all", "places"]


def test_text_printed_several_times_to_look_bold_is_one_line(paper):
    for shift in (0, 0.3, 0.6):
        paper.write(*PROSE, x=40 + shift)
    assert sorted(paper.texts()) == sorted(PROSE)


@pytest.mark.parametrize(("size", "rows"), [(11, [60, 80, 100]), (80, [100, 220])])
def test_equal_lines_count_once_where_they_are_at_nearly_the_same_place(paper, size, rows):
    for y in rows:
        for x in (47.6, 47.9, 48.2, 48.5):  # they are looked for in squares of 16 points
            paper.write("Idem", x=x, y=y + x - 48, size=size)
    assert paper.texts() == ["Idem"] * len(rows)


def test_form_fields_are_part_of_the_page(paper):
    paper.write(*PROSE)
    field = pymupdf.Widget()
    field.field_type, field.field_name, field.field_value = pymupdf.PDF_WIDGET_TYPE_TEXT, "name", "Filled in"
    field.rect = pymupdf.Rect(40, 200, 200, 220)
    paper.page.add_widget(field)
    assert paper.texts() == [*PROSE, "Filled in"]


@pytest.mark.parametrize("colour", [(0.75, 0.75, 0.75), (1, 0.9, 0)])
def test_pale_text_and_text_on_a_background_are_visible(paper, colour):
    paper.page.draw_rect(pymupdf.Rect(20, 40, 380, 160), color=None, fill=(0.1, 0.2, 0.4))
    paper.write(*PROSE, color=(1, 1, 1))
    paper.write("pale on white", y=220, color=colour)
    paper.page.draw_rect(pymupdf.Rect(20, 200, 380, 240), color=(0, 0, 0), width=0.5)
    assert paper.texts() == [*PROSE, "pale on white"]


# -- pages with text and scanned parts -------------------------------------------------------------------------------
def test_an_image_with_text_has_to_be_read(paper):
    paper.write(*PROSE)
    paper.picture((40, 150, 240, 280), scanned(400, 260, ["Delivered", "on Friday"]))
    with paper.opened() as document:
        layer, image = document.text_layer(1, None, DPI), document.render(1, None, DPI)
    assert [line.text for line in layer.lines] == PROSE
    assert not layer.is_whole
    layer.hide(image)
    upper = image.image.crop((0, 0, image.width, 145 * 2)).convert("L")
    assert upper.getextrema()[0] > 200  # no ink remains at the text
    assert image.image.crop((80, 300, 480, 560)).convert("L").getextrema()[0] < 100


@pytest.mark.parametrize("draw", [photograph, lambda: Image.new("RGB", (90, 90), (200, 30, 30))], ids=["photo", "flat"])
def test_an_image_without_text_does_not_have_to_be_read(paper, draw):
    paper.write(*PROSE)
    paper.picture((40, 150, 120, 220), draw())
    layer = paper.layer()
    assert [line.text for line in layer.lines] == PROSE
    assert layer.is_whole


def test_lines_of_layer_and_engine_are_joined_without_duplicates(paper):
    paper.write(*PROSE[:2], y=60)
    paper.write(*PROSE[2:], y=200)
    paper.picture((40, 100, 240, 180), scanned(400, 160, ["Delivered"]))
    with paper.opened() as document:
        layer, image = document.text_layer(1, None, DPI), document.render(1, None, DPI)
    again = Line("The harbour", layer.lines[0].box, 0.9)
    between_them = Line("Delivered", box(80, 220, 300, 260), 0.9)
    joined = layer.joined(PageText([again, between_them]), image)
    assert [line.text for line in joined.lines] == [*PROSE[:2], "Delivered", *PROSE[2:]]
    assert [line.origin for line in joined.lines] == ["text_layer"] * 2 + ["ocr"] + ["text_layer"] * 2
    assert joined.text is None


def test_the_layer_follows_an_image_that_was_turned(paper):
    paper.write(*PROSE)
    with paper.opened() as document:
        layer, image = document.text_layer(1, None, DPI), document.render(1, None, DPI)
    width, height = image.image.size
    turned = replace(
        image,
        image=image.image.transpose(Image.Transpose.ROTATE_180),
        transform=(-0.5, 0, width / 2, 0, -0.5, height / 2),
    )
    layer.hide(turned)
    assert turned.image.convert("L").getextrema()[0] > 200
    joined = layer.joined(PageText([]), turned)
    x, y = layer.lines[0].box[0]
    assert joined.lines[0].box[0] == pytest.approx((width - x, height - y))
    assert joined.lines[0].words[0].box[0] == pytest.approx((width - x, height - y))


def test_engine_text_without_boxes_follows_the_layer(paper):
    paper.write(*PROSE)
    paper.picture((40, 150, 240, 280), scanned(400, 260, ["Delivered"]))
    with paper.opened() as document:
        layer, image = document.text_layer(1, None, DPI), document.render(1, None, DPI)
    joined = layer.joined(PageText(text="Delivered", markdown="**Delivered**"), image)
    assert joined.plain == "\n".join([*PROSE, "", "Delivered"])
    assert joined.markdown.endswith("**Delivered**")


def test_between_two_transforms():
    first, second = (0.5, 0.1, 3.0, -0.2, 0.6, 4.0), (0.0, 0.4, 1.0, -0.3, 0.1, 9.0)
    x, y = apply(between(first, second), 17.0, 23.0)
    assert apply(second, x, y) == pytest.approx(apply(first, 17.0, 23.0))
