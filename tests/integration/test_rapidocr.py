"""The engine `rapidocr`: text and boxes of drawn pages."""

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.documents import PageImage, open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.transforms import IDENTITY
from ocrqueue.engines.rapidocr import lines
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.engines.rapidocr.lines import ReaderSettings
from ocrqueue.engines.rapidocr.networks import Network, OpenVino
from ocrqueue.engines.rapidocr.recogniser import Split, Whole
from ocrqueue.engines.rapidocr.weights import weights
from ocrqueue.errors import PageError
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.upright import upright
from tests.support.drawn_pages import drawn, read


@pytest.fixture(scope="module")
def loaded() -> Iterator[RapidOcr]:
    engine = RapidOcr()
    engine.load(engine.default_model())
    yield engine
    engine.free_resources()


def test_a_drawn_page_is_read_exactly(loaded: RapidOcr) -> None:
    image = drawn("Invoice 4711", "Total: 1,234.50 EUR")
    page = read(loaded, image)
    assert page.plain == "Invoice 4711\nTotal: 1,234.50 EUR"
    for line, top in zip(page.lines, (60, 160), strict=True):
        (left, y0), (right, y1), (right2, y2), (left2, y3) = line.box
        rows, columns = (np.asarray(image.convert("L"))[top : top + 60] < 128).nonzero()  # of the line's ink
        assert max(left, left2) < columns.min() <= columns.max() < min(right, right2)
        assert max(y0, y1) < top + rows.min() <= top + rows.max() < min(y2, y3)
        assert top - 30 < min(y0, y1) <= max(y0, y1) < min(y2, y3) <= max(y2, y3) < top + 80
        assert type(left) is float
        assert line.confidence is not None
        assert 0.9 < line.confidence <= 1


def test_what_is_shown_of_a_line_decides_its_text_but_not_its_box(
    loaded: RapidOcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = drawn("Invoice 4711", "Invoice 4712", size=(1280, 400))  # seen by the detector at half this size
    page = read(loaded, image)
    assert page.plain == "Invoice 4711\nInvoice 4712"
    down = np.array([0, 50])  # pixels of the detector from the first line to the second
    monkeypatch.setattr(lines, "exact_edges", lambda _scores, quad, _growth: quad + down * (quad[0, 1] < 50))
    other = read(loaded, image)
    assert other.plain == "Invoice 4712\nInvoice 4712"
    assert [line.box for line in other.lines] == [line.box for line in page.lines]


@pytest.mark.parametrize("degrees", [90, 175])
def test_a_turned_page_is_read_like_an_upright_one(loaded: RapidOcr, degrees: int) -> None:
    lines = ("Invoice 4711 of May", "Total: 1,234.50 EUR", "Thank you very much")
    scanned = drawn(*lines).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    page = upright(PageImage(scanned, 100.0, 0, IDENTITY), 10_000_000, "page")
    found = read(loaded, page.image)
    assert found.plain == "\n".join(lines)
    assert page.rotation == pytest.approx(degrees, abs=0.2)
    for line in found.lines:
        (left, top), (right, right_top), _, (_, bottom) = line.box
        assert abs(right_top - top) < 5 < bottom - top < right - left


def test_boxes_are_grown_less_where_the_detector_sees_a_page_smaller(
    loaded: RapidOcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = loaded._reader
    assert reader
    lines = ("Minimum amount", "Large summer towns", "on one more corner")
    heights = []
    for less in (0.0, ReaderSettings().unclip_less):
        monkeypatch.setattr(reader, "_settings", replace(ReaderSettings(), unclip_less=less))
        page = read(loaded, drawn(*lines, size=(900, 1280), font=60))
        assert page.plain == "\n".join(lines)
        heights.append([line.box[3][1] - line.box[0][1] for line in page.lines])
    assert all(less < 0.95 * more for more, less in zip(*heights, strict=True))


def test_results_are_in_the_order_of_the_pages(loaded: RapidOcr) -> None:
    pages = loaded.read([drawn("first"), drawn(), drawn("third")], Options(lang="en"))
    assert [page.plain for page in pages if isinstance(page, PageText)] == ["first", "", "third"]


def test_the_rest_of_a_page_with_some_text_layer_is_read(loaded: RapidOcr, tmp_path: Path) -> None:
    printed = io.BytesIO()
    drawn("Delivered on Friday", size=(700, 200)).save(printed, "PNG")
    with pymupdf.open() as pdf:
        page = pdf.new_page(width=400, height=300)
        page.insert_text((40, 60), "The boats were counted every evening.")
        page.insert_image(pymupdf.Rect(40, 100, 390, 200), stream=printed.getvalue())
        page.insert_text((40, 240), "Nobody asked him what the list was for.")
        pdf.save(tmp_path / "mixed.pdf")
    with open_document(tmp_path / "mixed.pdf", Limits()) as document:
        layer, image = document.text_layer(1, None, loaded.dpi), document.render(1, None, loaded.dpi)
    assert layer is not None
    layer.hide(image)
    found = read(loaded, image.image)
    assert found.plain == "Delivered on Friday"
    joined = layer.joined(found, image)
    assert [(line.text, line.origin) for line in joined.lines] == [
        ("The boats were counted every evening.", "text_layer"),
        ("Delivered on Friday", "ocr"),
        ("Nobody asked him what the list was for.", "text_layer"),
    ]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 900), (900, 1), (4000, 20)])
def test_tiny_and_thin_images_have_no_text(loaded: RapidOcr, size: tuple[int, int]) -> None:
    assert read(loaded, Image.new("RGB", size, "black")) == PageText([])


def test_a_narrow_strip_is_read_with_boxes_inside_it(loaded: RapidOcr) -> None:
    page = read(loaded, drawn("Sum", size=(130, 1500)))
    assert page.plain == "Sum"
    assert all(0 <= x <= 130 and 0 <= y <= 1500 for x, y in page.lines[0].box)


@pytest.mark.parametrize("lang", ["ru", "vi", "vi-VN"])
def test_an_unknown_language_is_an_error(loaded: RapidOcr, lang: str) -> None:
    (error,) = loaded.read([drawn("x")], Options(lang=lang))
    assert isinstance(error, PageError)
    assert error.code == "language_missing"
    assert error.message.startswith(f"rapidocr does not read {lang[:2]}: ")
    assert ", de, " in error.message
    assert "vi," not in error.message


def test_a_page_with_an_error_fails_alone(loaded: RapidOcr) -> None:
    closed = Image.new("RGB", (10, 10))
    closed.close()
    failed, good = loaded.read([closed, drawn("Page two")], Options())
    assert isinstance(failed, PageError)
    assert failed.code == "engine_error"
    assert isinstance(good, PageText)
    assert good.plain == "Page two"


def test_a_page_has_the_same_text_after_another_page_was_read(loaded: RapidOcr) -> None:
    page = drawn("Invoice 4711", "Total: 1,234.50 EUR")
    first = read(loaded, page)
    read(loaded, drawn("other", size=(900, 300)))
    assert read(loaded, page) == first


def test_words_have_boxes_where_they_are_drawn(loaded: RapidOcr) -> None:
    font = ImageFont.load_default(36)
    (line,) = read(loaded, drawn("Invoice 4711 paid")).lines
    assert [word.text for word in line.words] == ["Invoice", "4711", "paid"]
    begins = [40 + font.getlength(before) for before in ("", "Invoice ", "Invoice 4711 ")]
    for word, begin in zip(line.words, begins, strict=True):
        assert abs(word.box[0][0] - begin) < 14
        assert abs(word.box[1][0] - begin - font.getlength(word.text)) < 14
        assert line.box[0][1] - 1 < word.box[0][1] < word.box[3][1] < line.box[3][1] + 1
        assert word.confidence is not None
        assert 0.9 < word.confidence <= 1


MIXED = [
    "The delivery note of 12 May says 中文 beside it",
    "第三章 说明书与安装",
    "東京都は人口が多い",
    "Plain English between the others, total 1,234.50",
    "angles α, β and γ with Ω = 2πf and Δt ≤ 5 μs",
    "x² + y² ≈ z², √2 ∈ ℝ, ∑ a → ∞, ∫ f ≥ 0",
    "Déjà vu: Straße, Łódź, año, İstanbul",
    "版",
]


def of_many_scripts(lines: Sequence[str] = MIXED) -> Image.Image:
    """A page with these lines."""
    with pymupdf.open() as pdf:
        page = pdf.new_page(width=420, height=40 + 30 * len(lines))
        writer = pymupdf.TextWriter(page.rect)
        for number, text in enumerate(lines):
            writer.append((20, 40 + 30 * number), text, font=pymupdf.Font("cjk"), fontsize=14)
        writer.write_text(page)
        return page.get_pixmap(dpi=200).pil_image()


@pytest.mark.thorough
def test_lines_of_many_scripts_are_read_as_by_the_whole_network() -> None:
    """Most columns are scored for common characters alone: that must change no text. Both in OpenVINO's precision."""
    image = of_many_scripts()
    split, whole = RapidOcr("default"), RapidOcr("default")
    split.load(split.default_model())
    whole.load(whole.default_model())
    assert whole._reader is not None
    file = weights()["Rec"].file
    characters = whole._reader._recogniser.characters
    whole._reader._recogniser = Whole(OpenVino(file), characters)
    expected, found = read(whole, image), read(split, image)
    assert isinstance(split._reader and split._reader._recogniser, Split)
    # Without blanks: with bfloat16, the two round at different places, and some blanks are as likely as none.
    assert "".join(found.plain.split()) == "".join(expected.plain.split())
    assert {"中", "β", "版", "明", "∑", "≤"} <= set(found.plain), found.plain
    for one, other in zip(found.lines, expected.lines, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=0.03)


def test_an_upside_down_line_is_read_next_to_an_upright_one(loaded: RapidOcr) -> None:
    page = drawn("The quick brown fox jumps")
    turned = page.crop((0, 0, 700, 140)).rotate(180)
    page.paste(turned, (0, 200))
    assert read(loaded, page).plain == "The quick brown fox jumps\nThe quick brown fox jumps"


@pytest.mark.parametrize(("degrees", "turn"), [(90, Image.Transpose.ROTATE_90), (270, Image.Transpose.ROTATE_270)])
def test_a_vertical_line_is_read(loaded: RapidOcr, degrees: int, turn: Image.Transpose) -> None:
    (line,) = read(loaded, drawn("The quick brown fox jumps").transpose(turn)).lines
    assert line.text == "The quick brown fox jumps"
    tops = [word.box[0][1] for word in line.words]
    assert tops == sorted(tops, reverse=degrees == 90)


def test_without_openvino_it_runs_on_onnx_runtime_and_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    engine = RapidOcr()
    engine.load(engine.default_model())
    assert "slower, because OpenVINO cannot be imported" in caplog.text
    assert engine._reader is not None
    assert engine._reader._padded_width(100) == 128  # more padding only costs time there
    assert read(engine, drawn("Sum 12")).lines
    assert read(engine, drawn("Invoice 4711", "Total: 1,234.50 EUR")).plain == "Invoice 4711\nTotal: 1,234.50 EUR"
    engine.free_resources()


class Counted:
    """A network that counts the lines that it is shown."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.precision = network.precision
        self.lines = 0

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.lines += 1
        return self._network(batch)

    def release(self) -> None:
        self._network.release()


@pytest.mark.thorough
def test_int8_reads_as_f32_does_and_a_poor_page_is_read_in_f32() -> None:
    quick, exact = RapidOcr("int8"), RapidOcr("f32")
    for engine in (quick, exact):
        engine.load(engine.default_model())
    assert quick._reader is not None
    assert exact._reader is not None
    assert quick._reader.precision == "int8"
    exact._reader._detector = quick._reader._detector  # the same boxes
    recogniser = quick._reader._recogniser
    assert isinstance(recogniser, Split)
    recogniser._body = body = Counted(recogniser._body)
    page = of_many_scripts(MIXED * 2)
    found, expected = read(quick, page), read(exact, page)
    assert "".join(found.plain.split()) == "".join(expected.plain.split())
    assert found != expected  # the confidences differ
    assert body.lines >= len(found.lines) == 2 * len(MIXED)
    body.lines = 0
    quick._reader._settings = replace(ReaderSettings(), exact_below=1.1, exact_gain=-1.0)
    poor = read(quick, page)
    assert body.lines < len(MIXED) + 4  # the widest lines show it; the others are not read in int8
    assert poor.plain == expected.plain
    assert [line.confidence for line in poor.lines] == pytest.approx([line.confidence for line in expected.lines])
    quick._reader._settings = replace(ReaderSettings(), exact_below=1.1, exact_gain=1.0)
    assert read(quick, page) == found  # f32 is hardly surer of the widest lines, so all stay in int8
    quick._reader._settings = replace(ReaderSettings(), exact_below=1.1, exact_from=1.05, exact_gain=-1.0)
    assert read(quick, page) == found  # they are so poor that f32 would not read them better
    assert quick._reader.precision == "int8"
    for engine in (quick, exact):
        engine.free_resources()


@pytest.mark.thorough
def test_very_long_pages_are_read_whole(loaded: RapidOcr) -> None:
    receipt = [f"Article {number} costs {number}.50" for number in range(100, 140)]
    page = drawn(*receipt, size=(500, 4060), font=32)
    assert read(loaded, page).plain.split("\n") == receipt
    banner = [" ".join(f"Station {number}" for number in range(start, start + 15)) for start in (100, 200)]
    words = read(loaded, drawn(*banner, size=(6000, 240), font=32)).plain.split()
    assert sorted(words) == sorted(word for line in banner for word in line.split())


def test_print_below_a_stamp_is_read_and_the_stamp_too(loaded: RapidOcr) -> None:
    lines = ("The bees of the garden have survived", "the winter. Two new hives are bought")
    page = drawn(*lines, size=(700, 260), font=32)
    stamp = Image.new("RGBA", (420, 90))
    ImageDraw.Draw(stamp).rectangle((2, 2, 416, 86), outline=(200, 20, 40, 230), width=6)
    ImageDraw.Draw(stamp).text((30, 14), "RECEIVED 118", fill=(200, 20, 40, 230), font=ImageFont.load_default(50))
    turned = stamp.rotate(12, Image.Resampling.BICUBIC, expand=True)
    page.paste(turned, (140, 60), turned)
    assert {line.text for line in read(loaded, page).lines} >= {*lines, "RECEIVED 118"}
