"""Image files: orientation, resolution, frames, colour modes and limits."""

import math
import struct
import sys

import pillow_heif
import pytest
from PIL import Image, ImageDraw, ImageOps

from ocrqueue.documents import UNKNOWN_DPI, open_document
from ocrqueue.documents.transforms import apply
from ocrqueue.errors import DocumentError, PageFailure
from ocrqueue.limits import Limits
from tests.support.paper import mark_of

LIMITS = Limits()


def render(path, number=1, limits=LIMITS):
    with open_document(path, limits) as document:
        return document.render(number, None, 200)


def marked(size=(120, 80), at=(30, 20), half=4):
    """A white image with a red square around `at`, off centre, so that each orientation moves it elsewhere."""
    image = Image.new("RGB", size, "white")
    x, y = at
    ImageDraw.Draw(image).rectangle((x - half, y - half, x + half - 1, y + half - 1), fill=(255, 0, 0))
    return image


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "tif", "png", "webp", "avif"])
def test_the_transform_leads_from_the_upright_image_to_the_stored_one(tmp_path, suffix, orientation):
    path = tmp_path / f"turned.{suffix}"
    stored = marked()
    stored.save(path, exif=exif(orientation), quality=95)
    page = render(path)
    upright = stored.copy()
    upright.getexif()[0x0112] = orientation
    assert page.image.size == ImageOps.exif_transpose(upright).size
    assert mark_of(page.image) == pytest.approx(mark_of(ImageOps.exif_transpose(upright)), abs=1)
    assert apply(page.transform, *mark_of(page.image)) == pytest.approx((30, 20), abs=1)
    assert page.rotation == {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}[orientation]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_large_images_are_scaled_down_and_the_transform_says_so(tmp_path, suffix, orientation):
    path = tmp_path / f"large.{suffix}"
    marked((1200, 800), (300, 200), 60).save(path, exif=exif(orientation), dpi=(300, 300), quality=95)
    page = render(path, limits=Limits(max_pixels=10_000))
    assert 9_000 < page.image.width * page.image.height <= 10_000
    assert apply(page.transform, *mark_of(page.image)) == pytest.approx((300, 200), abs=8)
    assert page.dpi == pytest.approx(300 * math.sqrt(10_000 / 960_000), rel=0.01)


def test_the_pixels_of_a_fax_are_made_square(tmp_path):
    path = tmp_path / "fax.tif"
    marked((400, 100), (100, 50)).save(path, dpi=(204, 98))
    page = render(path)
    assert page.image.size == (400, 208)
    assert page.dpi == 204
    assert apply(page.transform, *mark_of(page.image)) == pytest.approx((100, 50), abs=1)


@pytest.mark.parametrize(("dpi", "expected"), [(None, UNKNOWN_DPI), ((1, 1), UNKNOWN_DPI), ((300, 300), 300)])
def test_resolution(tmp_path, dpi, expected):
    path = tmp_path / "image.png"
    Image.new("L", (10, 10)).save(path, **({"dpi": dpi} if dpi else {}))
    assert render(path).dpi == pytest.approx(expected, abs=0.1)


def test_each_tiff_frame_is_a_page_of_its_own_mode(tmp_path):
    path = tmp_path / "pages.tif"
    frames = [Image.new("1", (40, 30), 1), Image.new("CMYK", (50, 30)), Image.new("P", (60, 30))]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with open_document(path, LIMITS) as document:
        assert document.page_count == 3
        pages = [document.render(number, None, 200).image for number in (3, 1, 2)]
    assert [(page.mode, page.width) for page in pages] == [("RGB", 60), ("RGB", 40), ("RGB", 50)]


def test_a_frame_that_cannot_be_found_fails_alone(tmp_path):
    path = tmp_path / "pages.tif"
    Image.new("L", (4, 4)).save(path, "TIFF")
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, len(data))
    path.write_bytes(bytes(data) + struct.pack("<H", 0) + struct.pack("<I", 0))
    with open_document(path, LIMITS) as document:
        assert document.page_count == 2
        assert document.render(1, None, 200).image.size == (4, 4)
        with pytest.raises(PageFailure) as error:
            document.render(2, None, 200)
    assert error.value.code == "corrupt_file"


def reads_of(function, *args):
    """How many times Python code asks a file for bytes while the function runs."""
    count = 0

    def on_event(_frame, event, called):
        nonlocal count
        count += event == "c_call" and called.__name__ in {"read", "readinto"}

    sys.setprofile(on_event)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_a_late_frame_of_a_long_tiff_takes_no_more_reads_than_an_early_one(tmp_path, big):
    path = tmp_path / "long.tif"
    frames = [Image.new("L", (20 + number, 30), number) for number in range(60)]
    frames[0].save(path, save_all=True, append_images=frames[1:], big_tiff=big)
    with open_document(path, LIMITS) as document:
        reads = [reads_of(document.render, number, None, 200) for number in range(1, 61)]
        assert document.render(47, None, 200).image.size == (66, 30)
        assert document.render(47, None, 200).image.getpixel((0, 0)) == (46, 46, 46)
    assert max(reads[50:]) <= 1.5 * max(reads[1:10])


@pytest.mark.parametrize("compression", ["raw", "group4", "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
def test_the_frames_of_a_tiff_are_read_in_any_order(tmp_path, compression):
    path = tmp_path / "pages.tif"
    frames = [Image.new("L", (64, 30 + number), 255 * (number % 2)) for number in range(8)]
    frames = [frame.convert("1") for frame in frames] if compression == "group4" else frames
    frames[0].save(path, save_all=True, append_images=frames[1:], compression=compression, dpi=(200, 200))
    with open_document(path, LIMITS) as document:
        for number in (8, 3, 5, 1, 2, 7):
            page = document.render(number, None, 200)
            assert page.image.size == (64, 29 + number)
            assert page.image.getpixel((9, 9)) == (255 * ((number - 1) % 2),) * 3
            assert page.dpi == pytest.approx(200, abs=0.1)


def test_a_chain_of_tiff_frames_that_leads_back_ends_there(tmp_path):
    path = tmp_path / "circle.tif"
    frames = [Image.new("L", (4 + number, 4)) for number in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    data = bytearray(path.read_bytes())
    offset = pointer = struct.unpack_from("<I", data, 4)[0]
    while offset:
        pointer = offset + 2 + 12 * struct.unpack_from("<H", data, offset)[0]
        (offset,) = struct.unpack_from("<I", data, pointer)
    struct.pack_into("<I", data, pointer, struct.unpack_from("<I", data, 4)[0])
    path.write_bytes(data)
    with open_document(path, LIMITS) as document:
        assert document.page_count == 3
        assert document.render(3, None, 200).image.size == (6, 4)
        with pytest.raises(PageFailure):
            document.render(4, None, 200)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_only_the_first_frame_of_an_animation_is_read(tmp_path, suffix):
    path = tmp_path / f"moving.{suffix}"
    Image.new("RGB", (20, 20), "red").save(path, save_all=True, append_images=[Image.new("RGB", (20, 20), "blue")])
    with open_document(path, LIMITS) as document:
        assert document.page_count == 1
        red, _, blue = document.render(1, None, 200).image.getpixel((10, 10))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_keeps_black_on_white(tmp_path, mode):
    path = tmp_path / "page.tif"
    grey = Image.new("L", (60, 40), 255)
    grey.paste(0, (10, 10, 20, 20))
    if mode == "I;16":
        image = grey.convert("I").point(lambda v: v * 16).convert("I;16")  # 12 bits of 16
    elif mode == "F":
        image = grey.convert("F").point(lambda v: v * (1 / 255) + 0)
    elif mode == "I":
        image = grey.convert("I").point(lambda v: v * 100_000)
    else:
        image = grey.convert("RGB").convert(mode) if mode not in {"1", "L", "LA"} else grey.convert(mode)
    image.save(path)
    page = render(path).image
    assert page.mode == "RGB"
    assert max(page.getpixel((15, 15))) < 20
    assert min(page.getpixel((40, 30))) > 235


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path):
    path = tmp_path / "print.jpg"
    marked().convert("CMYK").save(path, quality=95)
    page = render(path).image
    assert mark_of(page) == pytest.approx((30, 20), abs=1)
    assert min(page.getpixel((100, 60))) > 240


def tiff_entry(data, tag):
    """The offset of the value of a tag in a little-endian TIFF of one frame."""
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    places = range(first + 2, first + 2 + 12 * entries, 12)
    return next(at + 8 for at in places if struct.unpack_from("<H", data, at) == (tag,))


@pytest.mark.parametrize(("photometric", "expected"), [(0, 255), (1, 0)])
def test_a_16_bit_tiff_with_white_as_zero_is_not_inverted(tmp_path, photometric, expected):
    path = tmp_path / "page.tif"
    image = Image.new("I;16", (20, 20), 0)
    image.putpixel((0, 0), 60_000)
    image.save(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, tiff_entry(data, 262), photometric)
    path.write_bytes(data)
    page = render(path).image
    assert page.getpixel((5, 5)) == (expected,) * 3
    assert page.getpixel((0, 0)) == (255 - expected,) * 3


@pytest.mark.parametrize(("ink", "paper"), [("white", 0), ("black", 255), ("red", 255)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_writing_on_transparency_stays_visible(tmp_path, ink, paper, mode):
    path = tmp_path / "overlay.png"
    image = Image.new("RGBA", (80, 40), (128, 128, 128, 0))
    ImageDraw.Draw(image).rectangle((10, 10, 30, 20), fill=ink)
    image.convert(mode).save(path)
    page = render(path).image.convert("L")
    assert page.getpixel((60, 30)) == paper
    assert abs(page.getpixel((20, 15)) - paper) > 100


def test_one_pixel_and_thin_images_are_read(tmp_path):
    for size in ((1, 1), (1, 8000)):
        path = tmp_path / f"{size[1]}.png"
        Image.new("L", size).save(path)
        assert render(path).image.size == size
        assert min(render(path, limits=Limits(max_pixels=100)).image.size) >= 1


def test_an_image_over_the_pixel_limit_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (1001, 1000)).save(path)
    with pytest.raises(DocumentError, match=r"1001 x 1000 pixels, 1,000,000 in all .* raise OCR_MAX_SOURCE_M") as error:
        open_document(path, Limits(max_source_pixels=1_000_000))
    assert error.value.code == "too_large"


def test_one_frame_over_the_pixel_limit_fails_alone(tmp_path):
    path = tmp_path / "pages.tif"
    Image.new("1", (100, 100)).save(path, save_all=True, append_images=[Image.new("1", (150, 100))])
    with open_document(path, Limits(max_source_pixels=10_000)) as document:
        assert document.render(1, None, 200).image.size == (100, 100)
        with pytest.raises(PageFailure) as error:
            document.render(2, None, 200)
    assert error.value.code == "too_large"


def test_more_frames_than_allowed(tmp_path):
    path = tmp_path / "pages.tif"
    Image.new("1", (8, 8)).save(path, save_all=True, append_images=[Image.new("1", (8, 8))] * 5)
    assert open_document(path, Limits(max_pages=6)).page_count == 6
    with pytest.raises(DocumentError, match=r"the 5 that are allowed: .* raise OCR_MAX_PAGES") as error:
        open_document(path, Limits(max_pages=5))
    assert error.value.code == "too_many_pages"


def test_a_broken_exif_block_does_not_matter(tmp_path):
    path = tmp_path / "photo.jpg"
    marked().save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage", quality=95)
    assert mark_of(render(path).image) == pytest.approx((30, 20), abs=1)


def test_heic_is_read(tmp_path):
    path = tmp_path / "photo.heic"
    pillow_heif.from_pillow(marked((128, 96), (40, 30))).save(path, quality=95)
    page = render(path)
    assert apply(page.transform, *mark_of(page.image)) == pytest.approx((40, 30), abs=1)
