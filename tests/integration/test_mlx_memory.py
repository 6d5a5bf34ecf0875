"""The memory and the open files that a freed model leaves. Each test runs a new process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ocrqueue.process.blas import find_blas, is_wanted
from tests.support import tiny

pytestmark = pytest.mark.needs("mlx")

PROJECT = Path(__file__).parents[2]
MEGABYTE = 2**20
_PROGRAM = """
import json, os, sys
import psutil
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.process.memory import give_back, memory_now
from ocrqueue.options import Options
from tests.support import tiny

process, folder = psutil.Process(), sys.argv[1]
report = {}

def note(name):
    give_back()
    report[name] = memory_now()

def holds():
    files = [f.path for f in process.open_files()]
    mapped = [m.path for m in process.memory_maps()] if hasattr(process, "memory_maps") else []
    return [path for path in files + mapped if path.startswith(folder)]
"""


def run(program: str, folder: Path, **env: str) -> dict[str, dict[str, int]]:
    """Run a program in a new interpreter. Returns its `report`."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "PYTHONPATH": str(PROJECT)}
    environment |= {"OCR_MODEL": str(folder), "OCR_MLX_PROMPT": tiny.PROMPT, "OCR_MLX_MAX_TOKENS": "16", **env}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM + program + "\nprint(json.dumps(report))", str(folder)],
        env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.mark.thorough
def test_all_memory_of_a_large_model_is_freed(tmp_path: Path) -> None:
    folder = tiny.large_model(tmp_path, 128)
    assert sum(f.stat().st_size for f in folder.iterdir()) > 125 * MEGABYTE
    bare = run("import mlx_vlm\nnote('imported')", folder)["imported"]
    report = run(
        """
engine = MlxVlm()
for name in ("first", "second"):
    engine.load(engine.default_model())
    note(name + " loaded")
    engine.read(tiny.pages(["ABC", "DEF"]), Options())
    note(name + " read")
    engine.free_resources()
    note(name + " freed")
assert holds() == [], holds()
os.rename(folder, folder + ".away")
os.rename(folder + ".away", folder)
import mlx.core as mx
from mlx_vlm.quantization import checkpoint
del checkpoint._E4M3_DECODE_LUT  # a constant of mlx-vlm
mx.clear_streams()  # frees the last tokens and the random key; nothing can be computed in this thread afterwards
report["without MLX's own memory"] = {"active": mx.get_active_memory()}
""",
        folder,
    )
    report = {"imported": bare, **report}
    print({name: {k: round(v / MEGABYTE, 1) for k, v in values.items()} for name, values in report.items()})
    for name in ("first", "second"):
        loaded, read, freed = report[f"{name} loaded"], report[f"{name} read"], report[f"{name} freed"]
        assert loaded["active"] > 125 * MEGABYTE
        assert abs(read["active"] - loaded["active"]) <= loaded["active"] / 100
        assert (read["cache"], freed["cache"]) == (0, 0)
        assert freed["active"] - bare["active"] <= 64, "more is left than the last tokens in MLX's streams"
        assert freed["rss"] - bare["rss"] < 30 * MEGABYTE, (freed["rss"] - bare["rss"]) / MEGABYTE
    assert report["without MLX's own memory"] == {"active": 0}, "memory of the model is left"


def test_the_check_detects_a_model_that_is_still_held(tmp_path: Path) -> None:
    folder = tiny.copy_to(tmp_path)
    report = run("held = open(folder + '/model.safetensors')\nreport['holds'] = holds()", folder)
    assert report["holds"] == [str(folder / "model.safetensors")]


def test_loading_uses_no_network_and_runs_no_code_of_the_model(tmp_path: Path) -> None:
    folder = tiny.copy_to(tmp_path)
    code = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\nclass Own:\n    pass\n"
    (folder / "own.py").write_text(code)
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"):
        path = folder / name
        own = {"AutoProcessor": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"], "AutoConfig": "own.Own"}
        path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": own}))
    report = run(
        """
calls = []
sys.addaudithook(lambda name, args: calls.append(name) if name in ("socket.connect", "socket.getaddrinfo") else None)
engine = MlxVlm()
engine.load(engine.default_model())
report["text"] = engine.read([tiny.render("SAFE 1")], Options())[0].plain
report["calls"] = calls
""",
        folder,
    )
    assert report == {"text": "SAFE 1", "calls": []}
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.thorough
def test_code_that_the_configuration_names_does_not_run(tmp_path: Path) -> None:
    folder = tiny.copy_to(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_file": "own.py"}))
    (folder / "own.py").write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    load = """
from ocrqueue.errors import ModelUnavailable
engine = MlxVlm()
try:
    engine.load(engine.default_model())
except ModelUnavailable as e:
    report["code"] = e.code
"""
    assert run(load, folder) == {"code": "model_broken"}
    assert not (folder / "ran").exists()
    run(load, folder, OCR_TRUSTED_MODELS=folder.name)
    assert (folder / "ran").exists(), "the check does not see code that runs"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_model_is_model_broken(tmp_path: Path, name: str) -> None:
    folder = tiny.copy_to(tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    program = """
from ocrqueue.errors import ModelUnavailable
engine = MlxVlm()
try:
    engine.load(engine.default_model())
    report["text"] = engine.read([tiny.render("SAFE 1")], Options())[0]
except ModelUnavailable as e:
    report["code"], report["message"] = e.code, e.message
report["left"] = memory_now()["active"] or 0
"""
    if name == "model.safetensors":
        (folder / name).write_bytes(whole[: len(whole) // 2])
    report = run(program, folder)
    assert report["code"] == "model_broken"
    assert "\n" not in report["message"]
    assert report["left"] < 4096


@pytest.mark.thorough
def test_a_child_multiplies_with_the_optimised_blas_of_the_system(tmp_path: Path) -> None:
    report = run(
        """
import time
engine = MlxVlm()
engine.load(engine.default_model())
import mlx.core as mx
matrix = mx.random.normal((1024, 1024))
mx.eval(matrix, matrix @ matrix)
started = time.perf_counter()
mx.eval(matrix @ matrix)
report["seconds"] = time.perf_counter() - started
report["maps"] = [m.path for m in process.memory_maps()] if sys.platform == "linux" else []
""",
        tiny.copy_to(tmp_path),
    )
    blas = find_blas() if is_wanted() else None
    print(f"a product of two 1024 x 1024 matrices: {report['seconds']:.3f} s, with {blas}")
    assert blas is None or str(blas.resolve()) in report["maps"]
