"""PDFs: rendered pages, their transforms and resolutions, limits, passwords and damaged images."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.document import open_pdf
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.transforms import apply
from ocrqueue.errors import DocumentError, PageFailure
from ocrqueue.limits import Limits
from tests.support.paper import mark_of

LIMITS = Limits()
ENGINE_DPI = 200


def saved(tmp_path, pdf, **options):
    path = tmp_path / "file.pdf"
    pdf.save(path, **options)
    pdf.close()
    return path


def render(path, dpi=None, limits=LIMITS, number=1):
    with open_document(path, limits) as document:
        return document.render(number, dpi, ENGINE_DPI)


def picture(width, height, fmt="PNG"):
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    file = io.BytesIO()
    image.save(file, fmt)
    return file.getvalue()


def scan(width, height, page_size=(595, 842)):
    pdf = pymupdf.open()
    page = pdf.new_page(width=page_size[0], height=page_size[1])
    page.insert_image(page.rect, stream=picture(width, height), keep_proportion=False)
    return pdf, page


@pytest.mark.parametrize("cropped", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("dpi", [72, 150])
def test_the_transform_leads_to_points_of_the_unrotated_page(tmp_path, rotation, cropped, dpi):
    pdf = pymupdf.open()
    page = pdf.new_page(width=300, height=200)
    page.draw_rect(pymupdf.Rect(70, 40, 90, 60), color=None, fill=(1, 0, 0))
    page.insert_text((70, 100), "word", color=(0.8, 0.8, 0.8))
    if cropped:
        page.set_cropbox(pymupdf.Rect(50, 30, 280, 190))
    page.set_rotation(rotation)
    path = saved(tmp_path, pdf)
    result = render(path, dpi)
    expected = (30, 20) if cropped else (80, 50)
    assert apply(result.transform, *mark_of(result.image)) == pytest.approx(expected, abs=0.6)
    assert (result.rotation, result.dpi) == (rotation, pytest.approx(dpi))
    with pymupdf.open(path) as again:
        word = pymupdf.Rect(again[0].get_text("words")[0][:4])
    x0, y0 = (50, 30) if cropped else (0, 0)
    assert word.contains(pymupdf.Point(75 - x0, 98 - y0))  # PyMuPDF's own coordinates are the same


def test_odd_rotations_and_user_units(tmp_path):
    pdf = pymupdf.open()
    page = pdf.new_page(width=300, height=200)
    page.draw_rect(pymupdf.Rect(70, 40, 90, 60), color=None, fill=(1, 0, 0))
    pdf.xref_set_key(page.xref, "Rotate", "45")  # invalid; MuPDF turns by 90
    pdf.xref_set_key(page.xref, "UserUnit", "2")
    result = render(saved(tmp_path, pdf), 72)
    assert result.image.size == (400, 600)
    assert result.rotation == 90
    assert apply(result.transform, *mark_of(result.image)) == pytest.approx((160, 100), abs=0.6)


def test_the_resolution_of_a_rendered_page(tmp_path):
    pdf, page = scan(1239, 1754)  # 150 dpi
    assert render(saved(tmp_path, pdf)).dpi == pytest.approx(150, abs=0.5)
    assert render(tmp_path / "file.pdf", dpi=96).dpi == pytest.approx(96)

    pdf, page = scan(1239, 1754)
    page.insert_text((50, 50), "invisible", render_mode=3)
    assert render(saved(tmp_path, pdf)).dpi == pytest.approx(150, abs=0.5)

    pdf, page = scan(1239, 1754)
    page.set_rotation(90)
    assert render(saved(tmp_path, pdf)).dpi == pytest.approx(150, abs=0.5)

    pdf, page = scan(1239, 1754)
    page.insert_text((50, 50), "visible")
    assert render(saved(tmp_path, pdf)).dpi == pytest.approx(ENGINE_DPI)

    pdf, page = scan(1239, 1754)
    page.draw_line((0, 0), (100, 100))
    assert render(saved(tmp_path, pdf)).dpi == pytest.approx(ENGINE_DPI)

    pdf = pymupdf.open()
    page = pdf.new_page()
    page.insert_image(pymupdf.Rect(0, 0, 100, 100), stream=picture(800, 800))
    assert render(saved(tmp_path, pdf)).dpi == pytest.approx(ENGINE_DPI)


def test_the_resolution_of_a_scan_is_limited(tmp_path):
    assert render(saved(tmp_path, scan(300, 400)[0])).dpi == pytest.approx(100)
    assert render(saved(tmp_path, scan(1666, 2500, (240, 360))[0])).dpi == pytest.approx(400)
    assert render(saved(tmp_path, scan(1500, 2000, (1500, 2000))[0])).dpi == pytest.approx(72)


def test_a_page_image_has_no_more_pixels_than_allowed(tmp_path):
    for width, height in ((595, 842), (20, 19_000), (3, 3)):
        pdf = pymupdf.open()
        pdf.new_page(width=width, height=height)
        result = render(saved(tmp_path, pdf), dpi=1200, limits=Limits(max_pixels=100_000))
        assert result.image.width * result.image.height <= 100_000
        assert result.image.width * result.image.height > 1_000
        assert result.dpi <= 1200


def test_a_page_that_is_too_large_fails_alone(tmp_path):
    pdf, _ = scan(1000, 1001)
    pdf.new_page(width=30_000, height=100)
    pdf.new_page()
    path = saved(tmp_path, pdf)
    limits = Limits(max_source_pixels=1_000_000)
    with open_document(path, limits) as document:
        assert document.page_count == 3
        for number in (1, 2):
            with pytest.raises(PageFailure) as error:
                document.render(number, None, ENGINE_DPI)
            assert error.value.code == "too_large"
        assert document.render(3, 72, ENGINE_DPI).image.size == (595, 842)


def test_form_fields_and_annotations_are_rendered(tmp_path):
    pdf = pymupdf.open()
    page = pdf.new_page()
    page.add_freetext_annot(pymupdf.Rect(100, 100, 300, 200), "note", fill_color=(1, 0, 0))
    image = render(saved(tmp_path, pdf), 72).image
    assert image.mode == "RGB"
    assert image.getpixel((280, 180)) == (255, 0, 0)


def test_more_pages_than_allowed(tmp_path):
    pdf = pymupdf.open()
    for _ in range(4):
        pdf.new_page()
    path = saved(tmp_path, pdf)
    with pytest.raises(DocumentError, match=r"4 pages, 3 are allowed: .* raise OCR_MAX_PAGES") as error:
        open_document(path, Limits(max_pages=3))
    assert error.value.code == "too_many_pages"


@pytest.mark.parametrize("password", ["secret", "pässwörd-秘密"])
def test_passwords(tmp_path, password):
    pdf = pymupdf.open()
    pdf.new_page()
    options = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": password, "owner_pw": "owner"}
    path = saved(tmp_path, pdf, **options)
    for given, message in ((None, "needs a password"), ("wrong", "does not open")):
        with pytest.raises(DocumentError, match=message) as error:
            open_document(path, LIMITS, given)
        assert error.value.code == "password_required"
    for given in (password, "owner"):
        with open_document(path, LIMITS, given) as document:
            assert document.render(1, 72, ENGINE_DPI).image.size == (595, 842)


def test_a_document_with_only_an_owner_password_opens_without_it(tmp_path):
    pdf = pymupdf.open()
    pdf.new_page()
    options = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "owner_pw": "owner", "permissions": 0}
    assert render(saved(tmp_path, pdf, **options), 72).image.size == (595, 842)


def noise(width, height):
    grey = np.random.default_rng(7).normal(128, 80, (height, width)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def damaged_scan(tmp_path, data, filter_name, text=False):
    pdf, page = scan(400, 600)
    if text:
        page.insert_text((50, 50), "visible")
    xref = page.get_images()[0][0]
    pdf.update_stream(xref, data, compress=False)
    pdf.xref_set_key(xref, "Filter", filter_name)
    pdf.xref_set_key(xref, "DecodeParms", "null")
    return saved(tmp_path, pdf)


@pytest.mark.parametrize(
    ("fmt", "filter_name", "cut", "lost"),
    [
        ("JPEG", "/DCTDecode", slice(None), False),
        ("JPEG", "/DCTDecode", slice(None, -2), False),  # only the end marker is missing
        ("JPEG", "/DCTDecode", slice(None, -4000), True),
        ("JPEG", "/DCTDecode", slice(50, None), True),
        ("JPEG2000", "/JPXDecode", slice(None), False),
        ("JPEG2000", "/JPXDecode", slice(None, 20_000), True),
    ],
)
def test_a_scan_with_a_damaged_image_fails_instead_of_being_blank(tmp_path, fmt, filter_name, cut, lost):
    noisy = noise(400, 600)
    file = io.BytesIO()
    noisy.save(file, fmt)
    path = damaged_scan(tmp_path, file.getvalue()[cut], filter_name)
    with pytest.raises(PageFailure, match="damaged") if lost else contextlib.nullcontext():
        render(path)


@pytest.mark.parametrize(("last", "lost"), [("balanced", False), ("missing", True)])
@pytest.mark.parametrize("size", [(400, 600), (397, 603), (390, 594)])
def test_a_block_that_is_grey_on_average_is_not_missing(tmp_path, size, last, lost):
    picture, (width, height) = noise(*size), size
    left, top = (width - 1) // 8 * 8, (height - 1) // 8 * 8
    if last == "balanced":  # half of the rows are black, half are white
        for y in range(top, top + 8):
            picture.paste("white" if y % 8 < 4 else "black", (left, y, left + 8, y + 1))
    file = io.BytesIO()
    picture.save(file, "JPEG")
    path = damaged_scan(tmp_path, file.getvalue()[: -2 if last == "balanced" else -600], "/DCTDecode")
    with pytest.raises(PageFailure, match="damaged") if lost else contextlib.nullcontext():
        render(path)


def test_a_page_with_text_and_a_damaged_image_is_rendered(tmp_path):
    path = damaged_scan(tmp_path, b"no image at all", "/DCTDecode", text=True)
    assert render(path, 72).image.size == (595, 842)


def test_nothing_is_printed(tmp_path, capfd):
    with pytest.raises(PageFailure):
        render(damaged_scan(tmp_path, b"no image at all", "/DCTDecode"))
    assert capfd.readouterr() == ("", "")


def test_a_document_may_be_closed_twice(tmp_path):
    pdf = pymupdf.open()
    pdf.new_page()
    document = open_document(saved(tmp_path, pdf), LIMITS)
    document.close()
    document.close()


def test_a_page_looks_as_drawn(tmp_path):
    pdf = pymupdf.open()
    page = pdf.new_page(width=100, height=50)
    image = Image.new("RGB", (100, 50), "white")
    ImageDraw.Draw(image).rectangle((10, 10, 39, 29), fill="blue")
    file = io.BytesIO()
    image.save(file, "PNG")
    page.insert_image(page.rect, stream=file.getvalue())
    rendered = render(saved(tmp_path, pdf), 72).image
    assert (rendered.getpixel((20, 20)), rendered.getpixel((80, 40))) == ((0, 0, 255), (255, 255, 255))


def test_a_file_that_is_gone_is_not_called_damaged(tmp_path):
    with pytest.raises(DocumentError) as found:
        open_pdf(tmp_path / "gone.pdf", LIMITS, None)
    assert found.value.code == "source_unreachable"
    assert str(tmp_path) not in found.value.message
