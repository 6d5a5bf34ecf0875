import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.engines import Model
from ocrqueue.engines.rapidocr import RapidOcr, _check
from ocrqueue.errors import EngineFreed, ModelUnavailable, PageError
from ocrqueue.options import Options
from ocrqueue.pages import PageText


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
    page = read(loaded, drawn("Invoice 4711", "Total: 1,234.50 EUR"))
    assert page.plain == "Invoice 4711\nTotal: 1,234.50 EUR"
    for line, top in zip(page.lines, (60, 160), strict=True):
        (left, y0), (right, y1), (right2, y2), (left2, y3) = line.box
        assert max(left, left2) < 60 < 250 < min(right, right2)
        assert top - 30 < min(y0, y1) <= max(y0, y1) < min(y2, y3) <= max(y2, y3) < top + 80
        assert type(left) is float
        assert line.confidence is not None
        assert 0.9 < line.confidence <= 1


def test_pages_come_back_in_order(loaded: RapidOcr) -> None:
    pages = loaded.read([drawn("first"), drawn(), drawn("third")], Options(lang="en"))
    assert [page.plain for page in pages if isinstance(page, PageText)] == ["first", "", "third"]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 900), (900, 1), (4000, 20)])
def test_tiny_and_thin_images_have_no_text(loaded: RapidOcr, size: tuple[int, int]) -> None:
    assert read(loaded, Image.new("RGB", size, "black")) == PageText([])


def test_a_narrow_strip_is_read_with_boxes_inside_it(loaded: RapidOcr) -> None:
    page = read(loaded, drawn("Sum", size=(130, 1500)))
    assert page.plain == "Sum"
    assert all(0 <= x <= 130 and 0 <= y <= 1500 for x, y in page.lines[0].box)


def test_a_language_it_does_not_know_is_said(loaded: RapidOcr) -> None:
    (error,) = loaded.read([drawn("x")], Options(lang="ru"))
    assert isinstance(error, PageError)
    assert error.code == "language_missing"
    assert "'ru'" in error.message


def test_a_page_that_the_engine_cannot_take_fails_alone(loaded: RapidOcr) -> None:
    closed = Image.new("RGB", (10, 10))
    closed.close()
    failed, good = loaded.read([closed, drawn("Page two")], Options())
    assert isinstance(failed, PageError)
    assert failed.code == "engine_error"
    assert isinstance(good, PageText)
    assert good.plain == "Page two"


def test_memory_stays_flat(loaded: RapidOcr) -> None:
    sizes = [(300 + 90 * n % 500, 240 + 70 * n % 600) for n in range(12)]
    used = []
    for size in sizes:
        read(loaded, drawn("Sum", size=size))
        used.append(psutil.Process().memory_info().rss)
    assert max(used[2:]) - min(used[2:]) < 64 * 2**20


def test_a_freed_engine_says_so_and_loads_again() -> None:
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


def test_a_model_it_does_not_have_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="no model 'other'"):
        RapidOcr().load(Model("other", "1"))


def test_missing_and_damaged_weights_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"lacks its file det\.onnx") as caught:
        _check(tmp_path / "det.onnx", "0" * 64)
    assert caught.value.code == "model_missing"
    (tmp_path / "det.onnx").write_bytes(b"x")
    with pytest.raises(ModelUnavailable, match=r"det\.onnx is damaged") as caught:
        _check(tmp_path / "det.onnx", "0" * 64)
    assert caught.value.code == "model_broken"


def test_a_child_uses_one_thread_reports_to_nobody_and_imports_late(tmp_path: Path) -> None:
    program = """
import sys
from ocrqueue.engines.rapidocr import RapidOcr
engine = RapidOcr()
model = engine.default_model()
assert not {"numpy", "cv2", "PIL", "onnxruntime", "rapidocr"} & set(sys.modules)
engine.load(model)
import psutil
print(psutil.Process().num_threads())
"""
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert list(tmp_path.rglob("*")) == []
