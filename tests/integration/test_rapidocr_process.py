"""The engine `rapidocr` in its process: loading and freeing, memory, threads, and signals."""

import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.engines import Model
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.engines.rapidocr.networks import OpenVino, detector
from ocrqueue.engines.rapidocr.weights import INT8, check
from ocrqueue.errors import EngineFreed, ModelUnavailable
from ocrqueue.options import Options
from ocrqueue.process.memory import trim
from tests.support.drawn_pages import drawn, read


@pytest.fixture(scope="module")
def loaded() -> Iterator[RapidOcr]:
    engine = RapidOcr()
    engine.load(engine.default_model())
    yield engine
    engine.free_resources()


@pytest.mark.thorough
def test_memory_stays_flat(loaded: RapidOcr) -> None:
    pages = [drawn("Sum" * (1 + n % 5), "total", size=(220 + 50 * n, 420 - 30 * n)) for n in range(6)]
    used = []
    for _ in range(3):
        for page in pages:
            read(loaded, page)
        used.append(psutil.Process().memory_info().rss)
    assert used[2] - used[1] < 8 * 2**20  # not the first round: networks allocate memory for each new shape and keep it


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
def test_working_memory_of_a_wide_line_is_freed(loaded: RapidOcr) -> None:
    page = drawn("Sum 12")
    read(loaded, page)
    before = psutil.Process().memory_info().rss
    assert read(loaded, drawn("banner" * 25, size=(4000, 160))).plain
    read(loaded, page)
    assert psutil.Process().memory_info().rss - before < 40 * 2**20  # reading the line takes twice as much


def test_the_fingerprint_is_equal_before_and_after_loading(loaded: RapidOcr) -> None:
    assert loaded.fingerprint() == RapidOcr().fingerprint()
    assert {version("rapidocr"), version("openvino")} <= set(literal_eval(loaded.fingerprint()))


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


@pytest.mark.thorough
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
assert not any("telemetry" in name for name in sys.modules)
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


@pytest.mark.thorough
def test_signals_are_handled_after_the_model_is_freed() -> None:
    """Idle children and children that are replaced receive signals."""
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["handled"] * 4), done.stderr
