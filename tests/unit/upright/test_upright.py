"""Pages that were scanned sideways, upside down or askew."""

import logging
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.documents import PageImage, open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.transforms import IDENTITY, ROTATION_OF, apply
from ocrqueue.limits import Limits
from ocrqueue.upright import upright
from ocrqueue.upright.canvas import turned_size, way_back
from ocrqueue.upright.direction import turn_needed
from ocrqueue.upright.turn import turned
from tests.support.scripts import PANGRAMS, image_of
from tests.support.thorough import thorough_but

CAP = Limits().max_pixels
TEXT = """Alice was beginning to get very tired of sitting
by her sister on the bank, and of having nothing
to do: once or twice she had peeped into the book
her sister was reading, but it had no pictures or
conversations in it, and what is the use of a book,
thought Alice, without pictures or conversations?
So she was considering in her own mind, as well as
she could, for the hot day made her feel very
sleepy and stupid, whether the pleasure of making
a daisy-chain would be worth the trouble.""".splitlines()
JAPANESE = (
    "私はその人を常に先生と呼んでいた。だからここでもただ先生と書くだけで本名は打ち明けない。"
    "これは世間を憚かる遠慮というよりも、その方が私にとって自然だからである。"
    "私はその人の記憶を呼び起すごとに、すぐ先生と云いたくなる。筆を執っても心持は同じ事である。"
)
UNDO = {  # by EXIF orientation: from the image that a viewer shows to the stored image
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def drawn(paper="white"):
    """A page of text with one word in red, off centre."""
    page = Image.new("RGB", (760, 1000), paper)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(24)
    for number, line in enumerate(TEXT + TEXT[:8]):
        draw.text((70, 60 + 44 * number), line, fill="black", font=font)
    draw.text((440, 880), "Rabbit", fill=(255, 0, 0), font=font)
    return page


def scanned(degrees, paper="white"):
    """The page, scanned while it was turned clockwise by `degrees`."""
    return drawn(paper).rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def word_of(image):
    """The middle of the red word, in pixels."""
    pixels = np.asarray(image).astype(int)
    y, x = np.nonzero((pixels[..., 0] > 150) & (pixels[..., 1] < 110))
    assert len(x) > 100
    return x.mean() + 0.5, y.mean() + 0.5


def as_page(image):
    return PageImage(image, 100.0, 0, IDENTITY)


def upright_page_of(path):
    with open_document(path, Limits()) as document:
        return upright(document.render(1, None, 200), CAP, "page")


def angle_between(found, expected):
    """The angle between two directions in degrees."""
    return abs((found - expected + 180) % 360 - 180)


def word_from_middle(page):
    """The position of the red word, seen from the middle of the page."""
    x, y = word_of(page.image)
    return (x - page.image.width / 2, y - page.image.height / 2)


@pytest.mark.parametrize("degrees", thorough_but(3, [90, 175, -3, 180, 270, 1, 7, -10, 10, 92.5, 274]))
def test_a_turned_page_is_made_upright(degrees):
    page = upright(as_page(scanned(degrees)), CAP, "page")
    assert angle_between(page.rotation, -degrees) < 0.2
    assert word_from_middle(page) == pytest.approx(word_from_middle(as_page(drawn())), abs=4)
    assert apply(page.transform, *word_of(page.image)) == pytest.approx(word_of(scanned(degrees)), abs=1)


@pytest.mark.thorough
@pytest.mark.parametrize("degrees", [0, 90, 270])
def test_a_sideways_page_with_little_white_between_its_lines_is_made_upright(degrees):
    page = Image.new("RGB", (760, 480), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(32)
    for number, line in enumerate(TEXT[:8]):
        draw.text((36, 90 + 34 * number), line, fill="black", font=font)
    scan = page.rotate(-degrees, expand=True, fillcolor="white")
    assert turn_needed(scan) == (360 - degrees) % 360


@pytest.mark.parametrize(
    ("orientation", "degrees"),
    thorough_but(2, [(6, 90), (5, 4), (1, 270), (2, 0), (3, 180), (4, 90), (7, 180), (8, 2)]),
)
def test_the_transform_leads_to_the_word_in_the_image_file(tmp_path, orientation, degrees):
    stored = scanned(degrees)
    if orientation in UNDO:
        stored = stored.transpose(UNDO[orientation])
    tags = Image.Exif()
    tags[0x0112] = orientation
    stored.save(tmp_path / "page.png", exif=tags, dpi=(100, 100))
    page = upright_page_of(tmp_path / "page.png")
    assert angle_between(page.rotation, ROTATION_OF[orientation] - degrees) < 0.2
    assert word_from_middle(page) == pytest.approx(word_from_middle(as_page(drawn())), abs=4)
    assert apply(page.transform, *word_of(page.image)) == pytest.approx(word_of(stored), abs=1)


@pytest.mark.parametrize(
    ("rotate", "degrees"),
    thorough_but(2, [(270, 95), (90, 0), (0, 90), (90, 90), (180, 180), (270, 0), (180, -6)]),
)
def test_the_transform_leads_to_the_word_in_the_pdf(tmp_path, rotate, degrees):
    image = scanned(degrees)
    image.save(tmp_path / "page.png")
    with pymupdf.open() as pdf:
        sheet = pdf.new_page(width=image.width * 0.48, height=image.height * 0.48)  # 150 dpi
        sheet.insert_image(sheet.rect, filename=tmp_path / "page.png")
        sheet.set_rotation(rotate)
        pdf.save(tmp_path / "page.pdf")
    page = upright_page_of(tmp_path / "page.pdf")
    assert angle_between(page.rotation, -degrees) < 0.2
    x, y = word_of(image)
    assert apply(page.transform, *word_of(page.image)) == pytest.approx((x * 0.48, y * 0.48), abs=1)
    assert page.dpi == pytest.approx(150, abs=1)


def grid():
    page = Image.new("RGB", (800, 1000), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for x in range(60, 800, 85):
        draw.line((x, 60, x, 940), fill="black", width=2)
        for y in range(60, 941, 40):
            draw.line((60, y, 740, y), fill="black", width=2)
            if x < 700 and y < 940:
                draw.text((x + 8, y + 8), str(x * y % 997), fill="black", font=font)
    return page


def scene():
    """Like a photograph: soft shapes and noise, no text."""
    noise = np.random.default_rng(3).normal(0, 1, (90, 120, 3))
    soft = np.asarray(Image.fromarray(np.uint8(np.clip(noise * 60 + 128, 0, 255))).resize((900, 700)))
    grain = np.random.default_rng(4).normal(0, 25, soft.shape)
    return Image.fromarray(np.uint8(np.clip(soft + grain, 0, 255)))


def hatched():
    """Short slanted strokes, as in a drawing."""
    page = Image.new("RGB", (900, 700), "white")
    draw, random = ImageDraw.Draw(page), np.random.default_rng(5)
    for _ in range(900):
        x, y, length = random.uniform(0, 850), random.uniform(0, 680), random.uniform(8, 30)
        draw.line((x, y, x + length, y + length * 0.12), fill="black", width=2)
    return page


def sparse(*words):
    page = Image.new("RGB", (1240, 1754), "white")
    for number, word in enumerate(words):
        ImageDraw.Draw(page).text((900, 100 + 700 * number), word, fill="black", font=ImageFont.load_default(30))
    return page


@pytest.mark.parametrize(
    "page",
    [
        drawn(),
        drawn("black"),
        grid(),
        scene(),
        hatched(),
        sparse(),
        sparse("12"),
        sparse("Page", "17 of 20"),
        image_of(*[PANGRAMS["he"]] * 5, size=16),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (3, 5000), "white"),
        Image.new("RGB", (5000, 2), "white"),
    ],
    ids=[
        "text",
        "black on black",
        "table",
        "photograph",
        "drawing",
        "empty",
        "number",
        "words",
        "Hebrew",
        "dot",
        "tall",
        "wide",
    ],
)
def test_an_upright_page_stays_as_it_is(page):
    given = as_page(page)
    assert upright(given, CAP, "page") is given
    page.load()  # not closed


def japanese(vertical):
    """A page of Japanese text in MuPDF's built-in font, in columns from right to left, or in rows."""
    with pymupdf.open() as pdf:
        sheet = pdf.new_page(width=420, height=420)
        for i, character in enumerate((JAPANESE * 3)[:240]):
            line, place = divmod(i, 20)
            at = (370 - 28 * line, 50 + 17 * place) if vertical else (40 + 17 * place, 50 + 28 * line)
            sheet.insert_text(at, character, fontname="japan", fontsize=15)
        pixels = sheet.get_pixmap(dpi=150)
        return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)


@pytest.mark.thorough
def test_vertical_writing_is_not_turned_but_turned_rows_are():
    assert turn_needed(japanese(vertical=True)) == 0
    for quarter, needed in ((1, 90), (2, 180), (3, 270)):
        assert turn_needed(Image.fromarray(np.rot90(np.asarray(japanese(vertical=False)), quarter))) == needed


def test_a_tiny_skew_is_not_corrected():
    assert turn_needed(scanned(0.2)) == 0


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 0.3, 7.5, 83, 190, 359])
def test_the_canvas_contains_all_of_a_turned_page(degrees):
    size = (301, 97)
    width, height = turned_size(size, degrees)
    a, b, c, d, e, f = way_back(size, degrees)
    for x, y in ((0, 0), (301, 0), (301, 97), (0, 97)):
        there = (a * (x - c) + d * (y - f), b * (x - c) + e * (y - f))  # the inverse of a rotation is its transpose
        assert -1e-6 <= there[0] <= width + 1e-6
        assert -1e-6 <= there[1] <= height + 1e-6
    assert (width, height) == size or degrees not in (0, 180)


def test_a_quarter_turn_keeps_every_pixel():
    image = scanned(0)
    page = turned(as_page(image), 90, CAP)
    assert page.image.tobytes() == image.transpose(Image.Transpose.ROTATE_270).tobytes()
    assert (page.rotation, page.image.size) == (90, (1000, 760))


def test_corners_have_the_colour_of_the_paper():
    page = turned(as_page(drawn((240, 220, 180))), 5, CAP)
    assert {page.image.getpixel((x, y)) for x in (0, page.image.width - 1) for y in (0, page.image.height - 1)} == {
        (240, 220, 180)
    }


def test_a_turned_page_has_no_more_pixels_than_allowed():
    image = scanned(0)
    page = turned(as_page(image), 7, 400_000)
    assert 390_000 < page.image.width * page.image.height <= 400_000
    width, height = turned_size(image.size, 7)
    assert page.dpi == pytest.approx(100 * math.sqrt(400_000 / (width * height)))
    assert apply(page.transform, *word_of(page.image)) == pytest.approx(word_of(image), abs=1.5)


def test_the_given_image_is_closed_when_it_is_replaced():
    image = scanned(180)
    assert upright(as_page(image), CAP, "page").image is not image
    with pytest.raises(ValueError, match="closed"):
        image.load()


def test_an_error_is_logged_and_the_page_stays_as_it_is(caplog):
    image = scanned(180)
    image.close()
    given = as_page(image)
    with caplog.at_level(logging.WARNING):
        assert upright(given, CAP, "job=1 page=2") is given
    assert "job=1 page=2: not turned" in caplog.text


def test_the_recogniser_is_not_loaded_where_its_answer_cannot_matter(monkeypatch):
    def refused(name):
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr("ocrqueue.upright.networks._network", refused)
    monkeypatch.setattr("ocrqueue.upright.direction.upside_down", lambda _: 0.45)
    assert turn_needed(drawn()) == 0  # unclear for the classifier, but there is no skew to correct
    with pytest.raises(AssertionError, match="rec_small"):
        turn_needed(scanned(3))


def test_a_page_without_lines_loads_no_network(monkeypatch):
    monkeypatch.setattr("ocrqueue.upright.networks._network", lambda name: pytest.fail(f"{name} was loaded"))
    monkeypatch.setattr("ocrqueue.upright.direction.level_share", lambda _: 0.0)
    assert turn_needed(Image.new("RGB", (400, 600), "white")) == 0
