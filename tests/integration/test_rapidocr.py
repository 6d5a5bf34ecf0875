"""The engine `rapidocr`: text and boxes of drawn pages, memory, threads, and signals."""

import io
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.documents import PageImage, open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.documents.transforms import IDENTITY
from ocrqueue.engines import Model
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.engines.rapidocr.lines import ReaderSettings
from ocrqueue.engines.rapidocr.networks import Network, OpenVino, detector
from ocrqueue.engines.rapidocr.recogniser import Split, Whole
from ocrqueue.engines.rapidocr.weights import INT8, check, weights
from ocrqueue.errors import EngineFreed, ModelUnavailable, PageError
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.memory import trim
from ocrqueue.upright import upright


@pytest.fixture(scope="module")
def loaded() -> Iterator[RapidOcr]:
    engine = RapidOcr()
    engine.load(engine.default_model())
    yield engine
    engine.free_resources()


def drawn(*lines: str, size: tuple[int, int] = (700, 400), font: int = 36) -> Image.Image:
    page = Image.new("RGB", size, "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((40, 60 + 100 * number), line, fill="black", font=ImageFont.load_default(font))
    return page


def read(engine: RapidOcr, page: Image.Image) -> PageText:
    (found,) = engine.read([page], Options())
    assert isinstance(found, PageText)
    return found


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


def test_memory_stays_flat(loaded: RapidOcr) -> None:
    pages = [drawn("Sum" * (1 + n % 5), "total", size=(220 + 50 * n, 420 - 30 * n)) for n in range(6)]
    used = []
    for _ in range(3):
        for page in pages:
            read(loaded, page)
        used.append(psutil.Process().memory_info().rss)
    assert used[2] - used[1] < 8 * 2**20  # not the first round: networks allocate memory for each new shape and keep it


def test_memory_does_not_grow_with_every_new_shape(loaded: RapidOcr) -> None:
    sides = range(96, 257, 32)  # small pages, the largest first: what grows then is what each shape leaves
    shapes = sorted(((w, h) for w in sides for h in sides), key=lambda size: size[0] * size[1], reverse=True)[:31]
    used = []
    for shape in shapes:
        page = Image.new("RGB", shape, "white")
        for corner in ((8, 8), (shape[0] - 32, shape[1] - 32)):  # the detector is shown what is between marks
            ImageDraw.Draw(page).text(corner, "ab", fill="black", font=ImageFont.load_default(18))
        read(loaded, page)
        used.append(psutil.Process().memory_info().rss)
    assert used[-1] - used[len(shapes) // 2] < 32 * 2**20  # 15 shapes; without a bound of kernels 54 MB


def test_memory_of_the_detector_in_int8_hardly_grows_with_new_shapes() -> None:
    network = detector(INT8["Det"], OpenVino, rounds=False)
    sides = range(64, 193, 32)
    used = []
    for shape in ((1, 3, high, wide) for high in sides for wide in sides):
        network(np.ones(shape, np.float32))
        network.release()
        trim()
        used.append(psutil.Process().memory_info().rss)
    assert used[-1] - used[0] < 24 * 2**20  # 25 shapes; with 128 kernels 35 MB


def test_working_memory_of_a_wide_line_is_freed(loaded: RapidOcr) -> None:
    page = drawn("Sum 12")
    read(loaded, page)
    before = psutil.Process().memory_info().rss
    assert read(loaded, drawn("banner" * 25, size=(4000, 160))).plain
    read(loaded, page)
    assert psutil.Process().memory_info().rss - before < 40 * 2**20  # reading the line takes twice as much


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


def test_lines_of_many_scripts_are_read_as_by_the_whole_network(loaded: RapidOcr) -> None:
    """Most columns are scored for common characters alone: that must change no text."""
    image = of_many_scripts()
    whole = RapidOcr()
    whole.load(whole.default_model())
    assert whole._reader is not None
    file = weights()["Rec"]
    characters = whole._reader._recogniser.characters
    whole._reader._recogniser = Whole(OpenVino(file), characters)
    expected, found = read(whole, image), read(loaded, image)
    whole.free_resources()
    assert isinstance(loaded._reader and loaded._reader._recogniser, Split)
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


def test_the_fingerprint_is_equal_before_and_after_loading(loaded: RapidOcr) -> None:
    assert loaded.fingerprint() == RapidOcr().fingerprint()
    assert {version("rapidocr"), version("openvino")} <= set(literal_eval(loaded.fingerprint()))


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
    assert quick._reader.precision == "int8"
    for engine in (quick, exact):
        engine.free_resources()


def test_a_freed_engine_raises_and_can_be_loaded_again() -> None:
    engine = RapidOcr()
    with pytest.raises(EngineFreed, match=r"call load\(\)"):
        engine.read([drawn("x")], Options())
    engine.load(engine.default_model())
    loaded = psutil.Process().memory_info().rss
    engine.free_resources()
    assert loaded - psutil.Process().memory_info().rss > 30 * 2**20
    with pytest.raises(EngineFreed):
        engine.read([], Options())
    engine.load(engine.default_model())
    assert read(engine, drawn("again")).plain == "again"
    engine.free_resources()


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="no model 'other'"):
        RapidOcr().load(Model("other", "1"))


def test_missing_and_damaged_weights_have_different_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"lacks its file det\.onnx") as caught:
        check(tmp_path / "det.onnx", "0" * 64)
    assert caught.value.code == "model_missing"
    (tmp_path / "det.onnx").write_bytes(b"x")
    with pytest.raises(ModelUnavailable, match=r"det\.onnx is damaged") as caught:
        check(tmp_path / "det.onnx", "0" * 64)
    assert caught.value.code == "model_broken"


def test_a_child_uses_one_thread_sends_no_usage_data_and_imports_late(tmp_path: Path) -> None:
    program = """
import sys
from ocrqueue.engines.rapidocr.engine import RapidOcr
engine = RapidOcr()
model = engine.default_model()
assert not {"numpy", "cv2", "PIL", "onnxruntime", "openvino", "rapidocr"} & set(sys.modules)
engine.load(model)
import psutil
me, *others = sorted((t.user_time + t.system_time for t in psutil.Process().threads()), reverse=True)
assert sum(others) < me / 4, (me, others)  # OpenVINO has idle threads
assert not any("telemetry" in name and module for name, module in sys.modules.items() if "ovc" not in name)
"""
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.rglob("*")) == []


SIGNALLED = """
import os, signal
from PIL import Image
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.options import Options
signal.signal(signal.SIGUSR2, lambda *_: print("handled", flush=True))
engine = RapidOcr()
for _ in range(2):
    engine.load(engine.default_model())
    engine.read([Image.new("RGB", (300, 200), "white")], Options())
    os.kill(os.getpid(), signal.SIGUSR2)
    engine.free_resources()
    os.kill(os.getpid(), signal.SIGUSR2)
"""


def test_signals_are_handled_after_the_model_is_freed() -> None:
    """Idle children and children that are replaced receive signals."""
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["handled"] * 4), done.stderr
