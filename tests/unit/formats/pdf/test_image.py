"""Searchable PDFs of images: the unchanged image, upright, with its text."""

import io

import numpy as np
import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw, TiffImagePlugin

from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.errors import CODES, OcrError, PageError
from ocrqueue.formats.pdf.searchable import write_searchable
from ocrqueue.limits import Limits
from ocrqueue.pages import Line, PageText
from ocrqueue.storage.results import PageFacts, failed_page, page_result
from tests.support.searchable import DATA, LIMITS, ODD, check, made, pdfium_text, read, rectangle


def drawn(mode="RGB", size=(240, 160)):
    """An image with a bar at the top left, which moves with every rotation and reflection."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((20, 10, 119, 29), fill=(200, 0, 0))
    return image.convert(mode)


def bar_of(image):
    """The box of the bar in pixels."""
    return image.getchannel("G").point(lambda v: 255 if v < 128 else 0).getbbox()


def shown(data, number=1, dpi=72.0):
    """The page as PDFium renders it."""
    with pypdfium2.PdfDocument(data) as pdf:
        return pdf[number - 1].render(scale=dpi / 72).to_pil().convert("RGB")


def seen_words(data, number=1):
    """The box around all words of the displayed page, in points from its top left corner."""
    with pymupdf.open(stream=data, filetype="pdf") as pdf:
        page = pdf[number - 1]
        words = [pymupdf.Rect(w[:4]) * page.rotation_matrix for w in page.get_text("words")]
    return tuple(words[0] | words[-1])


FILES = {
    "jpeg": ("RGB", {"format": "JPEG", "quality": 95}),
    "grey_jpeg": ("L", {"format": "JPEG", "quality": 95}),
    "cmyk_jpeg": ("CMYK", {"format": "JPEG", "quality": 95}),
    "jpeg2000": ("RGB", {"format": "JPEG2000"}),
    "png": ("RGB", {"format": "PNG"}),
    "grey_png": ("L", {"format": "PNG"}),
    "palette_png": ("P", {"format": "PNG"}),
    "alpha_png": ("RGBA", {"format": "PNG"}),
    "bilevel_png": ("1", {"format": "PNG"}),
    "bilevel_tiff": ("1", {"format": "TIFF", "compression": "group4"}),
    "cmyk_tiff": ("CMYK", {"format": "TIFF"}),
    "webp": ("RGB", {"format": "WEBP", "lossless": True}),
    "gif": ("P", {"format": "GIF"}),
}


@pytest.mark.parametrize("name", FILES)
def test_the_page_of_an_image_looks_like_it(tmp_path, name):
    mode, options = FILES[name]
    path = tmp_path / "file"
    drawn(mode).save(path, **options)
    with open_document(path, LIMITS) as document:
        rendered = document.render(1, None, 72)
    image, dpi = rendered.image, rendered.dpi
    data = made(path, [read(path, 1, [("the bar", rectangle(*bar_of(image)), 0.9)])])
    assert check(data) == []
    page = shown(data, dpi=dpi)
    assert page.size == image.size
    worst = max(high for _, high in ImageChops.difference(page, image).getextrema())
    assert worst <= (60 if "cmyk" in name else 3 if "jpeg" in name else 0)
    assert seen_words(data) == pytest.approx([v * 72 / dpi for v in bar_of(image)], abs=1)
    if name.endswith("jpeg") or name == "jpeg2000":
        assert path.read_bytes() in data
    assert pdfium_text(data) == "the bar"


@pytest.mark.parametrize("colours", [2, 3, 16, 200])
def test_a_palette_is_kept(tmp_path, colours):
    noise = Image.fromarray(np.random.default_rng(9).integers(0, 256, (600, 600), np.uint8))
    image = noise.quantize(colours).convert("RGB").quantize(colours)
    image.save(tmp_path / "file", "PNG", optimize=True)
    with open_document(tmp_path / "file", LIMITS) as document:
        wanted = document.render(1, None, 72).image.convert("RGB")
    data = made(tmp_path / "file", [])
    assert check(data) == []
    assert ImageChops.difference(shown(data), wanted).getbbox() is None
    assert len(data) < (tmp_path / "file").stat().st_size + 5000


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_an_image_is_upright_with_its_text(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "file"
    drawn().save(path, kind, exif=exif, dpi=(144, 144))
    with open_document(path, LIMITS) as document:
        image = document.render(1, None, 72).image
    data = made(path, [read(path, 1, [("the bar", rectangle(*bar_of(image)), 0.9)])])
    page = shown(data, dpi=144)
    assert page.size == pytest.approx(image.size, abs=1)  # a PNG stores its resolution in whole pixels per metre
    assert bar_of(page) == pytest.approx(bar_of(image), abs=2)
    left, top, right, bottom = bar_of(image)
    if right - left > bottom - top:
        assert seen_words(data) == pytest.approx([v / 2 for v in (left, top, right, bottom)], abs=1)


def test_an_image_that_was_turned_for_reading_is_turned_in_its_pdf(tmp_path):
    """The page was upside down; its transform maps the turned page image to the file's pixels."""
    path = tmp_path / "file.png"
    drawn().transpose(Image.Transpose.ROTATE_180).save(path)
    upright = bar_of(drawn())
    facts = PageFacts(width=240, height=160, dpi=72, rotation=180, transform=(-1, 0, 240, 0, -1, 160))
    data = made(path, [page_result(1, PageText([Line("the bar", rectangle(*upright))]), facts)])
    assert bar_of(shown(data)) == pytest.approx(upright, abs=1)
    assert seen_words(data) == pytest.approx(upright, abs=1)


def test_pixels_that_are_not_square_keep_their_shape(tmp_path):
    path = tmp_path / "fax.tiff"
    drawn("1").save(path, compression="group4", dpi=(204, 98))
    with open_document(path, LIMITS) as document:
        image = document.render(1, None, 72).image
    data = made(path, [read(path, 1, [("the bar", rectangle(*bar_of(image)), 0.9)])])
    assert shown(data, dpi=204).size == pytest.approx(image.size, abs=1)
    assert seen_words(data) == pytest.approx([v * 72 / 204 for v in bar_of(image)], abs=1)


def test_each_frame_is_a_page_whether_it_was_read_or_not(tmp_path):
    path = tmp_path / "file.tiff"
    frames = [drawn("L", (240, 160 + 10 * n)) for n in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:], compression="tiff_lzw")
    pages = [failed_page(2, PageError("timeout", "-")), read(path, 3, [("third", rectangle(20, 10, 120, 30))])]
    data = made(path, pages)
    assert check(data) == []
    assert [shown(data, n).height for n in (1, 2, 3, 4)] == [160, 170, 180, 190]
    assert [pdfium_text(data, n) for n in (1, 2, 3, 4)] == ["", "", "third", ""]


def test_a_damaged_frame_becomes_an_empty_page(tmp_path):
    path = tmp_path / "file.tiff"
    drawn("1").save(path, save_all=True, append_images=[drawn("1")] * 2, compression="tiff_adobe_deflate")
    content = bytearray(path.read_bytes())
    with Image.open(path) as tiff:
        tiff.seek(1)
        start = tiff.tag_v2[273][0]
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    with open_document(path, LIMITS) as document:
        assert document.page_count == 3
        with pytest.raises(OcrError):
            document.render(2, None, 72)
    assert check(made(path, [])) == []


@pytest.mark.parametrize(
    ("pixels", "dpi", "points"),
    [
        ((2480, 3508), None, (595.2, 841.9)),  # A4 scanned at 300 dpi
        ((3300, 2550), None, (792, 612)),  # Letter scanned at 300 dpi, landscape
        ((4000, 3000), 72, (816, 612)),  # cameras write 72 dpi
        ((1920, 1080), 96, (841.9, 473.6)),  # programs that take screenshots write 96 dpi
        ((240, 160), None, (240, 160)),  # not enlarged
        ((612, 792), 72, (612, 792)),
        ((3000, 2000), 300, (720, 480)),
        ((3000, 2000), 100, (2160, 1440)),
    ],
)
def test_an_image_without_a_credible_resolution_fits_on_a_sheet_of_paper(tmp_path, pixels, dpi, points):
    path = tmp_path / "file"
    Image.new("1", pixels, 1).save(path, "TIFF", **({"dpi": (dpi, dpi)} if dpi else {}))
    with pypdfium2.PdfDocument(made(path, [])) as pdf:
        assert pdf[0].get_size() == pytest.approx(points, abs=0.1)


@pytest.mark.parametrize(("mode", "kind"), [("P", "PNG"), ("P", "TIFF"), ("RGB", "PNG"), ("RGB", "JPEG")])
def test_the_colour_profile_of_an_image_goes_into_its_pdf(tmp_path, mode, kind):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    drawn(mode).save(tmp_path / "file", kind, icc_profile=profile)
    data = made(tmp_path / "file", [])
    assert check(data) == []
    with pikepdf.open(io.BytesIO(data)) as pdf:
        space = pdf.pages[0].Resources.XObject.Image.ColorSpace
        if mode == "P":
            assert space[0] == "/Indexed"
            space = space[1]
        assert space[0] == "/ICCBased"
        assert space[1].N == 3
        assert space[1].read_bytes() == profile


def test_the_pdf_of_a_long_tiff_reads_directories_in_proportion_to_its_frames(tmp_path, monkeypatch):
    """Seeking each frame from the first would read the directories of n * (n + 1) / 2 frames."""
    load, reads = TiffImagePlugin.ImageFileDirectory_v2.load, []

    def counted(directory, file):
        reads.append(file.tell())
        load(directory, file)

    monkeypatch.setattr(TiffImagePlugin.ImageFileDirectory_v2, "load", counted)

    def reads_of(count):
        frames = [drawn("1")] * count
        frames[0].save(tmp_path / "file.tiff", save_all=True, append_images=frames[1:], compression="group4")
        reads.clear()
        made(tmp_path / "file.tiff", [])
        return len(reads)

    few, many = reads_of(10), reads_of(40)
    assert many <= 4 * few + 10


ODD_IMAGES = sorted(path for path in (DATA / "bad").iterdir() if path not in ODD)


@pytest.mark.parametrize("path", ODD_IMAGES, ids=lambda p: p.name)
def test_odd_images_are_written_or_refused_with_a_code(path):
    limits = Limits(max_source_pixels=20_000_000)
    output = io.BytesIO()
    try:
        write_searchable(path, limits, None, [], output)
    except OcrError as error:
        refused = error.code
    else:
        refused = None
    assert refused in CODES if refused else check(output.getvalue()) == []
