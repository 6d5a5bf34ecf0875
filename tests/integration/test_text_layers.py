"""Text layers in a running stack: the engine reads a page with a text layer not at all, or only in part."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw

from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import Stack, running

PROSE = ["The harbour master counted the boats", "and wrote their names into a long grey book."]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents(children=1)
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def pdf() -> bytes:
    """Three pages: text; text and an image with text; empty."""
    made = pymupdf.open()
    for number in (1, 2):
        page = made.new_page(width=400, height=300)
        for n, line in enumerate(PROSE):
            page.insert_text((40, 60 + 20 * n), line)
        if number == 2:
            image, file = Image.new("RGB", (400, 200), "white"), io.BytesIO()
            ImageDraw.Draw(image).text((30, 60), "Delivered on Friday", fill="black", font_size=36)
            image.save(file, "PNG")
            page.insert_image(pymupdf.Rect(40, 120, 240, 220), stream=file.getvalue())
    made.new_page(width=400, height=300)
    return bytes(made.tobytes())


def test_text_of_a_text_layer_is_not_read_by_the_engine(stack: Stack, pdf: bytes) -> None:
    first, second, third = stack.client().submit(pdf).result()["pages"]
    assert [page["origin"] for page in (first, second, third)] == ["text_layer", "mixed", "ocr"]
    assert first["text"] == "\n".join(PROSE)
    assert {line["origin"] for line in first["lines"]} == {"text_layer"}
    assert (first["engine"], first["confidence"], first["width"], first["height"]) == ("numbered", None, 400, 300)
    assert [line["origin"] for line in second["lines"]].count("ocr") == 1
    assert all(line in second["text"] for line in PROSE)


def test_text_layers_can_be_ignored(stack: Stack, pdf: bytes) -> None:
    pages = stack.client().submit(pdf, text_layer="ignore").result()["pages"]
    assert [page["origin"] for page in pages] == ["ocr"] * 3
    assert not any(line in page["text"] for page in pages for line in PROSE)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_pages_that_are_shown_sideways_are_turned_upright(stack: Stack, pdf: bytes, rotation: int) -> None:
    turned = pymupdf.open(stream=pdf, filetype="pdf")
    for page in turned:
        page.set_rotation(rotation)
    found = stack.client().submit(bytes(turned.tobytes())).result()["pages"]
    as_is = stack.client().submit(pdf).result()["pages"]
    for page, upright in list(zip(found, as_is, strict=True))[:2]:  # the third is empty
        for same in ("origin", "text", "width", "height", "rotation"):
            assert page[same] == upright[same], same
        assert page["transform"] == pytest.approx(upright["transform"], abs=0.001)
        for line, other in zip(page["lines"], upright["lines"], strict=True):
            for corner, same_corner in zip(line["box"], other["box"], strict=True):
                assert corner == pytest.approx(same_corner, abs=2)
