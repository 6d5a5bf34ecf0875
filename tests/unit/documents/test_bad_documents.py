"""Small broken, odd and hostile documents: each has its expected outcome."""

from pathlib import Path

import pytest

from ocrqueue.documents import open_document
from ocrqueue.errors import DocumentError, PageFailure
from ocrqueue.limits import Limits

BAD = Path(__file__).parents[2] / "data" / "bad"
OUTCOMES = {
    "success": (
        "broken_content.pdf enc_aes256_owner_only.pdf external_stream.pdf form_self.pdf image_size_mismatch.pdf "
        "jpeg_named.png js_openaction.pdf junk_before.pdf no_xref.pdf odd_animated.gif odd_animated.webp "
        "odd_cropbox_outside.pdf odd_fax_204x98.tif odd_float32.tif odd_gray16_dark.tif odd_jpeg2000.jp2 "
        "odd_multiframe.tif odd_rotate_45.pdf odd_text.avif odd_white_on_transparent.png page_inverted_box.pdf "
        "page_zero_area.pdf pdf_named.png"
    ),
    "unsupported_format": "epub_named.pdf html.pdf svg_xxe.svg zip_named.pdf",
    "corrupt_file": (
        "bitflip.png count_lies.pdf dct_truncated_in.pdf enc_damaged.pdf flate_garbage_in.pdf jpx_garbage_in.pdf "
        "kids_loop.pdf only_header.pdf page_tree_bomb.pdf parent_loop.pdf truncated.webp truncated_50.jpg "
        "truncated_50.png truncated_ifd.tif"
    ),
    "empty_document": "zero_pages.pdf",
    "password_required": "enc_aes256_unicode.pdf enc_aes256_user.pdf",
    "too_large": (
        "bomb_60000x60000_g4.tif bomb_g4_60000.pdf bomb_image_flate2.pdf claims_2e9.png claims_65500.jpg "
        "page_1e7pt.pdf page_200in_userunit.pdf page_strip.pdf"
    ),
}


def render_all(path):
    with open_document(path, Limits()) as document:
        for number in range(1, document.page_count + 1):
            yield document.render(number, 72, 200).image


@pytest.mark.parametrize(
    ("expected", "name"), [(code, name) for code, names in OUTCOMES.items() for name in names.split()]
)
def test_each_bad_document_has_its_outcome(expected, name):
    if expected == "success":
        for image in render_all(BAD / name):
            assert image.mode == "RGB"
            assert 0 < image.width * image.height <= Limits().max_pixels
    else:
        with pytest.raises((DocumentError, PageFailure)) as error:
            list(render_all(BAD / name))
        assert error.value.code == expected
        assert "\n" not in error.value.message
        assert str(BAD) not in error.value.message


def test_every_file_has_an_outcome():
    named = {name for names in OUTCOMES.values() for name in names.split()}
    assert named == {path.name for path in BAD.iterdir()}


def test_errors_of_the_file_itself(tmp_path):
    empty = tmp_path / "empty.pdf"
    empty.touch()
    large = tmp_path / "large.pdf"
    large.write_bytes(b"%PDF-1.4" + b" " * 1000)
    for path, limits, code in (
        (empty, Limits(), "empty_file"),
        (large, Limits(max_bytes=1000), "too_large"),
        (tmp_path / "missing.pdf", Limits(), "source_unreachable"),
        (tmp_path, Limits(), "source_unreachable"),
    ):
        with pytest.raises(DocumentError) as error:
            open_document(path, limits)
        assert error.value.code == code
        assert code != "too_large" or "1,000 bytes are allowed: send it in parts, or raise OCR_MAX_MB" in str(
            error.value
        )


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("bomb_60000x60000_g4.tif", "150,000,000 in all are allowed: send it in a smaller size, or raise {pixels}"),
        ("claims_2e9.png", "150,000,000 in all are allowed: send it in a smaller size, or raise {pixels}"),
        ("bomb_image_flate2.pdf", "150,000,000 are allowed: scale it down, or raise {pixels}"),
        ("page_strip.pdf", "20,000 are allowed: scale it down"),  # no setting raises it
    ],
)
def test_a_document_over_a_limit_is_told_the_limit_and_its_setting(name, limit):
    with pytest.raises((DocumentError, PageFailure)) as error:
        list(render_all(BAD / name))
    assert error.value.message.endswith(limit.format(pixels="OCR_MAX_SOURCE_MEGAPIXELS"))


@pytest.mark.parametrize(
    ("name", "password"), [("enc_aes256_user.pdf", "secret"), ("enc_aes256_unicode.pdf", "pässwörd-秘密")]
)
def test_the_right_password_opens(name, password):
    with open_document(BAD / name, Limits(), password) as document:
        assert document.page_count == 1
